from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId
from hermes.types.origin import Origin, lane_key


def test_a_message_and_its_answer_share_a_lane() -> None:
    here = Origin("matrix", "!room:server.org", account="work")
    answer = Outbound(DeliveryId("d"), "matrix", "work", "!room:server.org", "hi")
    assert here.lane == answer.lane == "matrix:work:!room:server.org"


def test_lanes_with_colons_in_the_chat_stay_apart() -> None:
    assert lane_key("p", "a", "b:c").split(":", 2) == ["p", "a", "b:c"]
