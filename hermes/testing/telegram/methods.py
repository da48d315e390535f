"""The methods of the Bot API, as far as a gateway calls them: what they take, refuse and do."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hermes.testing.telegram.bot import Bot, Draft
from hermes.testing.telegram.forms import Params
from hermes.testing.telegram.refusal import Refused
from hermes.testing.telegram.texts import CAPTION_UNITS, TEXT_UNITS, checked, keyboard
from hermes.testing.telegram.world import Chat, Message, World

SEND = (
    "business_connection_id chat_id message_thread_id direct_messages_topic_id disable_notification protect_content "
    "allow_paid_broadcast message_effect_id suggested_post_parameters reply_parameters reply_markup"
)
ACTIONS = frozenset(
    "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker find_location "
    "record_video_note upload_video_note".split()
)
REACTIONS = frozenset(
    "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 😈 😴 "
    "😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡".split()
)

Handler = Callable[[World, Bot, Params], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """A method, and the names of its parameters: there are no others."""

    name: str
    handler: Handler
    names: frozenset[str]


METHODS: dict[str, Method] = {}
"""By lower-case name, as Telegram takes them."""


def method(name: str, names: str = "") -> Callable[[Handler], Handler]:
    """Register a method that takes ``names``."""

    def register(handler: Handler) -> Handler:
        METHODS[name.lower()] = Method(name, handler, frozenset(names.split()))
        return handler

    return register


# --- a message of the bot's ------------------------------------------------------------------------------------------------


def post(world: World, bot: Bot, params: Params, *, album: str | None = None, **content: Any) -> Message:
    """Put a message with ``content`` into the chat that ``params`` name."""
    chat = world.find(bot.id, params.given.get("chat_id"), write=True)
    return chat.add(
        bot.user,
        thread(chat, params),
        media_group_id=album,
        reply_to_message=_answered(chat, params),
        reply_markup=keyboard(params.value("reply_markup")),
        **content,
    )


def thread(chat: Chat, params: Params) -> int | None:
    """The topic; the general one has no id."""
    thread_id = params.number("message_thread_id")
    if thread_id is not None and thread_id not in chat.topics.values():
        raise Refused(400, "Bad Request: message thread not found")
    return thread_id


def _answered(chat: Chat, params: Params) -> Message | None:
    asked = params.value("reply_parameters")
    if asked is None:
        return None
    if not isinstance(asked, Mapping) or not isinstance(asked.get("message_id"), int):
        raise Refused(400, "Bad Request: can't parse reply parameters: message_id must be of type Number")
    if asked["message_id"] not in chat.messages:
        if asked.get("allow_sending_without_reply"):
            return None
        raise Refused(400, "Bad Request: message to be replied not found")
    return chat.quoted(asked["message_id"])


def text_of(
    params: Params,
    name: str = "text",
    entities: str = "entities",
    most: int = TEXT_UNITS,
    *,
    empty: bool = False,
) -> dict[str, Any]:
    """``name`` and its entities, as they stand in a message."""
    if params.text("parse_mode"):
        raise Refused(400, "Bad Request: can't parse entities: this server takes entities, and no parse_mode")
    text, found = checked(
        params.text(name),
        params.items(entities),
        most,
        name="message caption" if name == "caption" else "message",
    )
    if not text and not empty:
        raise Refused(400, "Bad Request: message text is empty")
    return {name: text or None, entities: found or None}


def caption_of(params: Params) -> dict[str, Any]:
    """A caption, or none."""
    return text_of(params, "caption", "caption_entities", CAPTION_UNITS, empty=True)


@method("sendMessage", f"{SEND} text parse_mode entities link_preview_options")
def _send_message(world: World, bot: Bot, params: Params) -> Message:
    said = text_of(params)
    return post(world, bot, params, **said, link_preview_options=params.value("link_preview_options"))


@method("sendMessageDraft", "chat_id message_thread_id draft_id text parse_mode entities")
def _send_draft(world: World, bot: Bot, params: Params) -> bool:
    chat = world.find(bot.id, params.number("chat_id"), write=True)
    if chat.type != "private":
        raise Refused(400, "Bad Request: TEXTDRAFT_PEER_INVALID")
    if not params.number("draft_id"):
        raise Refused(400, "Bad Request: RANDOM_ID_INVALID")
    text, _ = checked(params.text("text"), params.items("entities"), TEXT_UNITS)
    bot.drafts.append(Draft(chat.id, params.number("draft_id") or 0, text))
    return True


# --- what becomes of it ----------------------------------------------------------------------------------------------------


def _own(world: World, bot: Bot, params: Params) -> Message:
    chat = world.find(bot.id, params.given.get("chat_id"), write=True)
    message = chat.messages.get(params.number("message_id") or 0)
    if message is None:
        raise Refused(400, "Bad Request: message to edit not found")
    if message.get("from", {}).get("id") != bot.id:
        raise Refused(400, "Bad Request: message can't be edited")
    return message


def _change(world: World, bot: Bot, params: Params, **content: Any) -> Message:
    message = _own(world, bot, params)
    markup = keyboard(params.value("reply_markup"))
    after = {name: value for name, value in (content | {"reply_markup": markup}).items() if value is not None}
    names = {*content, "reply_markup"}
    if {name: value for name, value in message.items() if name in names} == after:
        raise Refused(
            400,
            "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a "
            "current content and reply markup of the message",
        )
    for name in names - after.keys():
        message.pop(name, None)
    message |= after | {"edit_date": message["date"]}
    return message


_EDIT = "business_connection_id chat_id message_id inline_message_id reply_markup parse_mode"


@method("editMessageText", f"{_EDIT} text entities link_preview_options rich_message")
def _edit_text(world: World, bot: Bot, params: Params) -> Message:
    if "text" not in _own(world, bot, params):
        raise Refused(400, "Bad Request: there is no text in the message to edit")
    return _change(world, bot, params, **text_of(params))


@method("editMessageCaption", f"{_EDIT} caption caption_entities show_caption_above_media")
def _edit_caption(world: World, bot: Bot, params: Params) -> Message:
    return _change(world, bot, params, **caption_of(params))


@method("editMessageReplyMarkup", "business_connection_id chat_id message_id inline_message_id reply_markup")
def _edit_markup(world: World, bot: Bot, params: Params) -> Message:
    return _change(world, bot, params)


@method("deleteMessage", "chat_id message_id")
def _delete(world: World, bot: Bot, params: Params) -> bool:
    chat = world.find(bot.id, params.given.get("chat_id"), write=True)
    message_id = params.number("message_id") or 0
    if message_id not in chat.messages:
        raise Refused(400, "Bad Request: message to delete not found")
    if chat.type != "private" and chat.messages[message_id].get("from", {}).get("id") != bot.id:
        raise Refused(400, "Bad Request: message can't be deleted")
    del chat.messages[message_id]
    chat.deleted.append(message_id)
    return True


@method("deleteMessages", "chat_id message_ids")
def _delete_several(world: World, bot: Bot, params: Params) -> bool:
    chat = world.find(bot.id, params.given.get("chat_id"), write=True)
    names = params.items("message_ids")
    if not 1 <= len(names) <= 100:
        raise Refused(
            400,
            "Bad Request: too many message identifiers specified" if names else "Bad Request: no messages",
        )
    for message_id in names:
        if chat.messages.pop(message_id, None) is not None:
            chat.deleted.append(message_id)
    return True


@method("setMessageReaction", "chat_id message_id reaction is_big")
def _react(world: World, bot: Bot, params: Params) -> bool:
    chat = world.find(bot.id, params.given.get("chat_id"), write=True)
    message_id = params.number("message_id") or 0
    if message_id not in chat.messages:
        raise Refused(400, "Bad Request: message to react not found")
    wanted = params.items("reaction")
    if len(wanted) > 1:
        raise Refused(400, "Bad Request: REACTIONS_TOO_MANY")
    if any(one.get("type") != "emoji" or one.get("emoji") not in REACTIONS for one in wanted):
        raise Refused(400, "Bad Request: REACTION_INVALID")
    chat.reactions[message_id] = [one["emoji"] for one in wanted]
    return True


@method("sendChatAction", "business_connection_id chat_id message_thread_id action")
def _action(world: World, bot: Bot, params: Params) -> bool:
    chat = world.find(bot.id, params.given.get("chat_id"), write=True)
    if params.text("action") not in ACTIONS:
        raise Refused(400, "Bad Request: wrong parameter action in request")
    bot.actions.append((chat.id, params.text("action"), thread(chat, params)))
    return True


@method("answerCallbackQuery", "callback_query_id text show_alert url cache_time")
def _answer_query(world: World, bot: Bot, params: Params) -> bool:
    query = params.text("callback_query_id")
    if query not in bot.queries:
        raise Refused(
            400,
            "Bad Request: query is too old and response timeout expired or query ID is invalid",
        )
    bot.queries.remove(query)
    bot.answers.append((query, params.text("text")))
    return True


# --- the bot itself --------------------------------------------------------------------------------------------------------


@method("getUpdates", "offset limit timeout allowed_updates")
def _get_updates(world: World, bot: Bot, params: Params) -> Callable[..., Any]:
    """The one method that waits: what is returned is awaited, and told whether its caller is still there."""
    limit = params.number("limit")
    bot.updates.allow(params.value("allowed_updates"))
    return partial(
        bot.updates.poll,
        params.number("offset") or 0,
        100 if limit is None else max(1, limit),
        params.number("timeout") or 0,
    )


@method("getMe")
def _me(world: World, bot: Bot, params: Params) -> dict[str, Any]:
    return bot.user | {
        "can_join_groups": True,
        "can_read_all_group_messages": not bot.privacy,
        "supports_inline_queries": False,
    }


@method(
    "setWebhook",
    "url certificate ip_address max_connections allowed_updates drop_pending_updates secret_token",
)
def _set_webhook(world: World, bot: Bot, params: Params) -> bool:
    url, secret = params.text("url"), params.text("secret_token")
    if url and not re.match(r"https://|http://(127\.0\.0\.1|localhost)[:/]", url):
        raise Refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise Refused(400, "Bad Request: secret token contains unallowed characters")
    bot.updates.allow(params.value("allowed_updates"))
    if params.flag("drop_pending_updates"):
        bot.updates.drop()
    bot.updates.hook(url, secret, params.number("max_connections"))
    return True


@method("deleteWebhook", "drop_pending_updates")
def _delete_webhook(world: World, bot: Bot, params: Params) -> bool:
    if params.flag("drop_pending_updates"):
        bot.updates.drop()
    bot.updates.hook("", "", None)
    return True


@method("getWebhookInfo")
def _webhook(world: World, bot: Bot, params: Params) -> dict[str, Any]:
    return bot.updates.webhook | {"pending_update_count": len(bot.updates.waiting)}


@method("setMyCommands", "commands scope language_code")
def _set_commands(world: World, bot: Bot, params: Params) -> bool:
    commands = params.items("commands")
    if len(commands) > 100:
        raise Refused(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not re.fullmatch(r"[a-z0-9_]{1,32}", command.get("command", "")):
            raise Refused(400, "Bad Request: BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "")) <= 256:
            raise Refused(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
    bot.commands[_scope(params)] = commands
    return True


@method("getMyCommands", "scope language_code")
def _commands(world: World, bot: Bot, params: Params) -> list[dict[str, str]]:
    return bot.commands.get(_scope(params), [])


@method("deleteMyCommands", "scope language_code")
def _delete_commands(world: World, bot: Bot, params: Params) -> bool:
    bot.commands.pop(_scope(params), None)
    return True


def _scope(params: Params) -> tuple[str, str]:
    scope = params.value("scope") or {"type": "default"}
    return (str(sorted(scope.items())), params.text("language_code"))


@method("getChat", "chat_id")
def _chat(world: World, bot: Bot, params: Params) -> dict[str, Any]:
    gifts = "unlimited_gifts limited_gifts unique_gifts premium_subscription gifts_from_channels"
    return world.find(bot.id, params.given.get("chat_id")).described | {
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts.split(), False),
    }
