"""A bot by python-telegram-bot: ``python ptb_echo.py URL TOKEN``. It echoes, edits, sends pictures back, and knows a button."""

import sys

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.constants import ChatAction
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    filters,
)

Context = ContextTypes.DEFAULT_TYPE


async def ask(update: Update, _context: Context) -> None:
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes")]])
    await update.message.reply_text("Sure?", reply_markup=keyboard)


async def pressed(update: Update, _context: Context) -> None:
    await update.callback_query.answer("noted")
    await update.callback_query.edit_message_text(f"You said {update.callback_query.data}.")


async def photo(update: Update, _context: Context) -> None:
    file = await update.message.photo[-1].get_file()
    await update.message.reply_photo(
        bytes(await file.download_as_bytearray()), caption=update.message.caption
    )


async def echo(update: Update, context: Context) -> None:
    await context.bot.send_chat_action(update.message.chat_id, ChatAction.TYPING)
    sent = await update.message.reply_text("…", do_quote=True)
    await sent.edit_text(update.message.text)


def main(url: str, token: str) -> None:
    builder = Application.builder().token(token).base_url(f"{url}/bot").base_file_url(f"{url}/file/bot")
    application = builder.build()
    application.add_handler(CommandHandler("ask", ask))
    application.add_handler(CallbackQueryHandler(pressed))
    application.add_handler(MessageHandler(filters.PHOTO, photo))
    application.add_handler(MessageHandler(filters.TEXT, echo))
    application.run_polling(timeout=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
