set shell := ["bash", "-euo", "pipefail", "-c"]

bin := if path_exists(".venv/bin") == "true" { ".venv/bin/" } else { "" }

# List the recipes
default:
    @{{ quote(just_executable()) }} --list --unsorted

# Run the gateway in the foreground
run *options:
    {{ bin }}hermes run {{ options }}

# Run the tests
test *options:
    {{ bin }}pytest {{ options }}

# Everything that needs no running gateway: style, types, layers, architecture
check:
    {{ bin }}ruff check
    {{ bin }}ruff format --check
    # Off: ASYNC106 and 9xx, which flake8 leaves off too; 114 and 128, which see no task_status that is handed on;
    # 127 (httpx2 for httpx: it has one door, the swap is ours to time).
    # Only over files it could find something in: it takes a quarter of a second for each.
    grep -rlZE --include='*.py' 'async|trio|anyio|BaseException|except:' hermes actors supervisors | xargs -0 -n 20 -P "$(nproc)" {{ bin }}flake8-async --disable ASYNC106,ASYNC114,ASYNC127,ASYNC128,ASYNC9 --startable-in-context-manager connect
    {{ bin }}mypy
    {{ bin }}lint-imports --no-cache --no-logo
    {{ bin }}pytest -q tests/architecture

# Bring the code into its format
fmt:
    {{ bin }}ruff check --fix
    {{ bin }}ruff format

# Write what is generated: the configuration's files and the references in docs/
docs:
    {{ bin }}python docs/generate.py

# Measure, against the goals
bench:
    {{ bin }}python tests/bench/bench_cli.py
    {{ bin }}python tests/bench/bench_store.py
    {{ bin }}python tests/bench/bench_kit.py
    {{ bin }}python tests/bench/bench_sessions.py
    {{ bin }}python tests/bench/bench_delivery.py
    {{ bin }}python tests/bench/bench_http.py
    {{ bin }}python tests/bench/bench_render.py
    {{ bin }}python tests/bench/bench_import.py
    {{ bin }}python tests/bench/bench_scrape.py
    {{ bin }}python tests/e2e/telegram_load.py

# The long proofs: 5 and 200 kills under load, kills in every busy mode, a kill at every fault point, 1,000 sessions under restarts, a starved machine; 50 races of two takeovers, 20 restarts from chat, 8 starts that are killed, every adapter state as all sources tell it, and 20 reloads under traffic; delivery under 100 restarts with a failing platform, killed at every point, and unplugged; the first two again with streaming; a month of jobs in virtual time with both nights, five real kills among jobs, and jobs that speak on an ill Telegram; Telegram with all its faults, stopped and killed; the whole way of one person from installing to a restore; homes of the original, byte for byte and damaged
proof:
    {{ bin }}pytest -m long
    {{ bin }}python tests/e2e/load_kill9.py --clients 8 --messages 200 --kills 5
    {{ bin }}python tests/e2e/load_kill9.py --clients 20 --messages 800 --kills 200
    {{ bin }}python tests/e2e/load_kill9.py --clients 8 --messages 200 --kills 20 --mode interrupt
    {{ bin }}python tests/e2e/load_kill9.py --clients 8 --messages 100 --kills 5 --mode steer
    {{ bin }}python tests/e2e/load_kill9.py --clients 8 --messages 100 --kills 5 --mode collect
    {{ bin }}python tests/e2e/faultpoints.py
    {{ bin }}python tests/e2e/faultpoints.py --mode interrupt
    {{ bin }}python tests/e2e/load_sessions.py --sessions 1000 --messages 20 --senders 8 --crashes 200
    {{ bin }}python tests/e2e/starved.py
    {{ bin }}python tests/e2e/replace_races.py --races 50
    {{ bin }}python tests/e2e/self_restarts.py --restarts 20
    {{ bin }}python tests/e2e/start_storms.py --kills 8
    {{ bin }}python tests/e2e/health_truth.py
    {{ bin }}python tests/e2e/reload_traffic.py --reloads 20 --messages 300
    {{ bin }}python tests/e2e/deliveries.py --restarts 100 --kills 30 --messages 600
    {{ bin }}python tests/e2e/deliveries.py --points
    {{ bin }}python tests/e2e/deliveries.py --points --streaming
    {{ bin }}python tests/e2e/deliveries.py --restarts 30 --kills 10 --messages 300 --streaming
    {{ bin }}python tests/e2e/deliveries.py --plug 10
    {{ bin }}python tests/actors/soak_cron.py
    {{ bin }}python tests/e2e/cron_kills.py --kills 5
    {{ bin }}python tests/e2e/cron_telegram.py
    {{ bin }}python tests/e2e/telegram_faults.py --conflict 260 --mute 40
    {{ bin }}python tests/e2e/telegram_kills.py
    {{ bin }}python tests/e2e/golden_homes.py
    {{ bin }}python tests/e2e/transcript.py
