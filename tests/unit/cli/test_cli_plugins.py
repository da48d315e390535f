"""``hermes plugins``: by what is written without a gateway, and in front of a gateway double."""

import json

from gateway_double import gateway_on

from hermes.cli import main


def run(capsys, home, *arguments):
    code = main(["plugins", *arguments, "--home", str(home)])
    out, err = capsys.readouterr()
    return code, out, err


def test_without_a_gateway_they_are_listed_and_nothing_is_run(capsys, tmp_path):
    for name, source in (("good", "raise AssertionError('it was run')"), ("bad", "def register(:")):
        path = tmp_path / "plugins" / name
        path.mkdir(parents=True, mode=0o700)
        (path / "plugin.yaml").write_text("version: 1\n")
        (path / "__init__.py").write_text(source)
    (tmp_path / "config.yaml").write_text("plugins: {disabled: [other]}\n")
    code, out, err = run(capsys, tmp_path)

    assert code == 0, err
    assert out.splitlines()[0].startswith("bad  unavailable  ")
    assert out.splitlines()[1] == f"good  found  {tmp_path}/plugins/good"
    listed = json.loads(run(capsys, tmp_path, "list", "--json")[1])["plugins"]
    assert [(one["name"], one["state"]) for one in listed] == [("bad", "unavailable"), ("good", "found")]


def test_a_home_without_any_says_so(capsys, tmp_path):
    assert run(capsys, tmp_path)[1] == f"There are no plug-ins in {tmp_path}/plugins.\n"


def test_a_running_gateway_says_what_it_has_made_of_them(capsys, tmp_path):
    row = {"name": "dice", "source": "somewhere", "state": "used", "brings": ["tool roll"], "reason": ""}
    with gateway_on(tmp_path, {"plugins_list": {"plugins": [row]}}):
        assert run(capsys, tmp_path, "list")[1] == "dice  used  tool roll  somewhere\n"
        assert json.loads(run(capsys, tmp_path, "--json")[1]) == {"plugins": [row]}
