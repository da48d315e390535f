"""Every sentence a user of a chat may read; one catalogue, so that tone and translation have one place."""

AGENT_CRASHED = (
    "Something went wrong on my side while I was answering. Your message is safe; please try again."
)
AGENT_EMPTY = "I have no answer to that. Please try again, or put it another way."
AGENT_DEADLINE = (
    "I stopped: this took longer than {seconds:.0f} seconds. Please try again, or ask for less at once."
)
POISONED = (
    "I have set this message aside: it made me stumble twice. The conversation goes on with the next one."
)
SESSION_DISABLED = "This conversation is resting after repeated trouble. Send /new to start afresh."
STOPPED = "Stopped."
NOTHING_TO_STOP = "There is nothing to stop: I am not working on anything."
NEW_CONVERSATION = "A new conversation starts here. What was said before can still be searched."
UNKNOWN_COMMAND = "I know no command /{name}. /help lists what I know."
RESENT_MARK = "(sent again after an interruption; you may have this already)\n\n"
TOO_LONG = "That message is too long for me: at most {limit:,} characters."
DID_YOU_MEAN = "Did you mean /{name}?"
STALE_COMMAND = (
    "/{name} is from before my last start, so I did not run it. Please send it again if you still want it."
)
DATABASE_SET_ASIDE = "My memory was damaged, so I have begun a new one. What was said before is kept in {name}, for the operator."
HELP = "Write to me as you would to a person. These commands are always answered, also while I am busy:"
