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
SUSPENDED = "I have set this message aside: it stopped me three times. With your next one we begin a new conversation."
SESSION_DISABLED = "This conversation is resting after repeated trouble. Send /new to start afresh."
TOO_MANY_SESSIONS = "I am in as many conversations as I can keep up with. Please try again in a few minutes."
TOO_MANY_TURNS = "I am working on as many answers as I can at once. Please send it again in a few minutes."
TOO_MANY_WAITING = (
    "{limit} messages are waiting here already, so I have not taken this one."
    " Please send it again when I have caught up."
)
QUEUED = "I am still at work on what you wrote before. This one is number {position} in line."
STOPPED = "Stopped."
DROPPED_TOO = "{count} more that waited here will not be answered either."
NOTHING_TO_STOP = "There is nothing to stop: I am not working on anything."
NEW_CONVERSATION = "A new conversation starts here. What was said before can still be searched."
OPERATOR_RESET = "The operator has begun a new conversation here. What was said before can still be searched."
OPERATOR_RESUME = "The operator has taken up an earlier conversation of ours; we go on from there."
RESET_IDLE = "We have not spoken for a while."
RESET_DAILY = "It is time for the daily fresh start."
RESET_SUSPENDED = "I have set the last conversation aside after repeated trouble."
RESET_RESUME_EXPIRED = "I was interrupted, and too much time has passed to take up where we were."
UNKNOWN_COMMAND = "I know no command /{name}. /help lists what I know."
RESENT_MARK = "(sent again after an interruption; you may have this already)\n\n"
TOO_LONG = "That message is too long for me: at most {limit:,} characters."
COMMAND_FOR_ADMINS = "/{name} is for admins here. /help and /status are for everybody."
TOO_FAST = "That is more than I can take in at once, so I have let some of it go. Please send it again a little slower."
BOT_LOOP = "I have stopped answering bots here for now, so that we do not talk in circles."
DID_YOU_MEAN = "Did you mean /{name}?"
STALE_COMMAND = (
    "/{name} is from before my last start, so I did not run it. Please send it again if you still want it."
)
MISSED = "I was away and missed {count}, by now too old to answer:\n{named}\n\nPlease send again what still matters."
DATABASE_SET_ASIDE = "My memory was damaged, so I have begun a new one. What was said before is kept in {name}, for the operator."
HELP = "Write to me as you would to a person. These commands are always answered, also while I am busy:"
