"""Every sentence a user of a chat may read; one catalogue, so that tone and translation have one place."""

AGENT_CRASHED = (
    "Something went wrong on my side while I was answering. Your message is safe; please try again."
)
AGENT_EMPTY = "I have no answer to that. Please try again, or put it another way."
MODEL_UNREACHABLE = (
    "I cannot reach my language model at the moment. Your message is safe; please try again in a few minutes."
)
MODEL_REFUSED_KEY = (
    "My language model does not let me in, so I cannot answer until the operator has looked at its key."
    " The log says more."
)
MODEL_BUSY = "My language model has too much to do just now. Please try again in {wait}."
MODEL_BUSY_WAIT = "a few minutes"
MODEL_NOT_FOUND = (
    "The language model I am set to use does not exist, so I cannot answer until the operator has chosen another. The log says"
    " more."
)
MODEL_FILTERED = "My language model will not answer that. Please put it another way."
MODEL_ERROR = "My language model failed while it was answering. Please try again; if it happens again, the log says more."
MODEL_CUT = "(This is as long as an answer of mine may be; ask me to go on.)"
CONTEXT_TOO_LONG = (
    "This conversation has become too long for my language model. /new begins another; what was said"
    " stays searchable."
)
FILE_NOT_SENT = "(One file could not be sent.)"
FILES_NOT_SENT = "({count} files could not be sent.)"
FILE_TOO_LARGE = "(A file is too large to be sent here: at most {limit_mb:g} MB.)"
FILES_TOO_LARGE = "({count} files are too large to be sent here: at most {limit_mb:g} MB each.)"
FILES_UNSUPPORTED = "(Files cannot be sent here.)"
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
NO_ANSWER_CAME = "No answer came of this."
DROPPED_TOO = "{count} more that waited here will not be answered either."
NOTHING_TO_STOP = "There is nothing to stop: I am not working on anything."
NEW_CONVERSATION = "A new conversation starts here. What was said before can still be searched."
OPERATOR_RESET = "The operator has begun a new conversation here. What was said before can still be searched."
OPERATOR_RESUME = "The operator has taken up an earlier conversation of ours; we go on from there."
RESET_IDLE = "We have not spoken for a while."
RESET_DAILY = "It is time for the daily fresh start."
RESET_SUSPENDED = "I have set the last conversation aside after repeated trouble."
RESET_RESUME_EXPIRED = "I was interrupted, and too much time has passed to take up where we were."
UNKNOWN_COMMAND = "I know no command {name}. /help lists what I know."
RESENT_MARK = "(sent again after an interruption; you may have this already)\n\n"
CUT = "… (cut here; the whole text is in {path})"
REST_MISSING = "The rest of what I was saying could not be sent. Please ask me for it again."
STREAM_MOVED = "(This goes on in another message.)"
STREAM_CUT_OFF = "(I was cut off here.)"
STREAM_TOO_LONG = "\n\n(There is more than I can show while I write it.)"
FILE_NOT_HERE = "{name} cannot be shown here."
TOO_LONG = "That message is too long for me: at most {limit:,} characters."
COMMAND_DENIED = "/{name} is not possible here."
COMMAND_FOR_ADMINS = "/{name} is for admins here. /help and /status are for everybody."
TOO_FAST = "That is more than I can take in at once, so I have let some of it go. Please send it again a little slower."
BOT_LOOP = "I have stopped answering bots here for now, so that we do not talk in circles."
DID_YOU_MEAN = "Did you mean /{name}?"
STALE_COMMAND = (
    "/{name} is from before my last start, so I did not run it. Please send it again if you still want it."
)
MISSED = "I was away and missed {count}, by now too old to answer:\n{named}\n\nPlease send again what still matters."
PAIRING_CODE = (
    "We have not met, so I cannot answer you here yet. If the owner of this assistant knows you, have them run this within"
    " an hour:\n\n`hermes pairing approve {name} {code}`"
)
PAIRING_FULL = "Several people are waiting to be let in already. Please write again in ten minutes or later."
PAIRING_TROUBLE = "I cannot let anybody new in at the moment. Please write again in ten minutes or later."
PAIRED = "You are in: from now on I answer you here. What can I do for you?"
DATABASE_DAMAGED = (
    "⚠️ My database {name} is damaged. I go on as well as I can; please have the operator back it up and restart me: then I look"
    " at all of it, and keep it aside if need be."
)
DISK_NEARLY_FULL = "⚠️ My disk is nearly full: {free} left where {place} is. When it is full, I cannot take messages any more."
DATABASE_SET_ASIDE = "My memory was damaged, so I have begun a new one. What was said before is kept in {name}, for the operator."
QUICK_UNCERTAIN = (
    "I had started /{name} when I was cut off, so I do not know if it finished. I have not started it again;"
    " send it once more if you want that."
)
QUICK_GONE = "The operator has taken /{name} away since you sent it."
QUICK_TOO_MANY = "As many programs as I may run are running already. Please send /{name} again in a moment."
QUICK_UNUSABLE = "/{name} could not be started. The log says why."
QUICK_TIMEOUT = "/{name} took longer than {seconds:g} seconds, so I ended it."
QUICK_FAILED = "/{name} ended with code {code}."
QUICK_REFUSED = "/{name}: {words}"
QUICK_SILENT = "/{name} is done; it had nothing to say."
RUNS = "Runs a program of the operator's"
USES = "*uses {what} …*"
SHORT_FOR = "Short for `/{target}`"
ALSO_CALLED = "Also: {names}."
NOT_BUSY = "Not while I am at work here."
HELP = (
    "Write to me as you would to a person. These commands are for you here; `/help NAME` says more about one:"
)
WRITE_IT_SO = "Please write it like this: `{usage}`"
AT_WORK = "I am at work here. Wait for my answer or send /stop, then /{name} once more."
NO_CONVERSATION = "We have no conversation here yet. Write something to me first."
NOTHING_SAID = "Nothing has been said here yet that could be taken back or copied."
UNDONE_ONE = "I have taken back the last exchange, {said}. What was done in it stays done."
UNDONE = "I have taken back the last {count} exchanges, from {said} on. What was done in them stays done."
RETRY_COMMAND = "The last one was a command. To have it once more, send {command} again."
RETRY_ATTACHMENT = "The last message came with a file, which I cannot take along. Please send it again."
COPY_OF = "Copy of {title}"
BRANCHED = "We go on in a copy called {title}. What it was copied from stays as it is: `/resume {number}` goes back there."
TITLED = "This conversation is called {title} now."
TITLE = "This conversation is called {title}."
NO_TITLE = "This conversation has no title. `/title TEXT` gives it one."
FROM_BEFORE = "From before you were linked:"
OLDER = "… and {count} older ones."
STRETCH = "- **{number}** {title}, {began}, {lines} lines{present}"
STRETCH_PRESENT = " (this one)"
UNTITLED = "untitled"
RESUMED = "We go on with {title}."
RESUMED_LAST = "We go on where we were before."
NOTHING_BEFORE = "There is nothing before this that we could go on with."
NO_SUCH_STRETCH = "I find nothing that {wanted} alone could mean. /sessions lists what there is."
USAGE = "Used so far:\n- In this conversation since it began anew: {present}\n- In all of it: {whole}"
USAGE_FIGURES = "{given:,} tokens read, {said:,} written, {cached:,} cached, ${cost:.4f}"
USAGE_NOTHING = "nothing that my agent has reported"
BUSY_IS = "While I am at work here: **{mode}**. {meaning}"
BUSY_MODES = {
    "interrupt": "A message has me begin my answer again, for both.",
    "queue": "A message waits its turn.",
    "steer": "A message is handed to me as I work.",
    "collect": "All that comes meanwhile is answered together.",
}
SET_HOME = "This is my home on {platform} now: notices, and what is sent to {platform} without naming a chat, come here."
MODEL = "My answers come from the language model {model}. The operator chooses it, in config.yaml."
MODEL_NONE = "My answers come from the agent `{agent}`, without a language model. The operator sets one, in config.yaml."
VOICE = "I neither listen nor speak in this version: write to me, and I write back."
PLATFORMS = "Platforms:"
PLATFORM_OWN = (
    "That is where you are writing from: you could not have me back from here. Use `hermes adapter"
    " pause` on the machine."
)
SETTINGS_REFUSED = "The settings have been changed and cannot be used so, so I go on with the old ones: {why}"
BACK_AFTER_RESTART = "I have restarted, and am back."
BACK_AFTER_CRASH = "I was stopped in the middle of something, and am back. What was under way goes on."
STORM = (
    "I have been started {starts} times in a row without lasting. So that it gets no worse, I wait {seconds:.0f} seconds before I"
    " connect. On the machine, `hermes crashes` and `hermes logs` may say why; `hermes restart` connects me at once."
)
ADAPTER_DISABLED = (
    "I am not on {name} any more, and will not be until somebody acts: {code}. The log says more. When it is mended, on the"
    " machine: `hermes adapter resume {name}`"
)
ADAPTER_REPEATS = (
    "I have lost {name} {times} times in a row, each time by the same failure: {code}. I go on trying. On the machine,"
    " `hermes adapter status {name}` says more."
)
DELIVERY_LATE = (
    "On {name} I could not send {count} yet, the oldest for {minutes} minutes. On the machine, `hermes status` says how {name}"
    " is, and `hermes outbox` what waits."
)
DELIVERY_OVER = "On {name} nothing waits too long any more."
DELIVERY_GIVEN_UP = "On {name} I have given up {count}. On the machine: `hermes outbox list --state dead`"
RESTARTING = "I am restarting. What is under way goes on when I am back."
RESTART_BY_HAND = "I cannot start myself again here: stop me, and start me the way I was started."
UPDATE = "I am hermes {version}. To bring me up to date, on the machine: `pip install --upgrade hermes-trio`, then restart me."
UPDATE_NOT_HERE = "That is not to be asked on {platform}."
APPROVAL_ASK = "May I {action}?"
APPROVAL_FOR_ADMINS = "An admin has to decide this."
APPROVAL_HOW = (
    "Answer `yes` or `no` within {seconds:.0f} seconds, or `/approve {number}`, or `/deny {number}` with a reason."
    " If I hear nothing, that is a no."
)
BUTTON_APPROVE = "✅ Approve"
BUTTON_DENY = "❌ Deny"
APPROVAL_CLOSED = {
    "approved": "✅ Approved by {who}.",
    "denied": "❌ Denied by {who}.",
    "expired": "⌛ Nobody has answered in time.",
    "void": "Not needed any more.",
}
APPROVAL_BY_YOU = "you"
APPROVAL_BY_OPERATOR = "the operator"
APPROVED = "Approved."
APPROVED_ALL = "Approved, all {count} of them."
DENIED = "Denied."
DENIED_ALL = "Denied, all {count} of them."
APPROVAL_EXPIRED = (
    "I asked, and had no answer in time; so I have not done it, and stopped here. Write again if you"
    " still want it."
)
APPROVAL_NONE = "Nothing waits for a decision here."
APPROVAL_UNKNOWN = "Nothing that is called {which} waits for a decision here. It may have been decided, or its time may be up."
APPROVAL_LATE = "That has been decided already, or its time is up."
APPROVAL_NOT_YOURS = "That is for the person I asked, or for an admin, to decide."
APPROVAL_WHICH = (
    "Several things wait for a decision: {numbers}. Say which: `/{command} {first}`, or `/{command} all`."
)
LINK_CODE = (
    "Your code is **{code}**. Within ten minutes, send me `/link {code}` directly {where}:"
    " from then on we have this one conversation in both places. It works once; show it to nobody."
)
LINK_CODE_ANYWHERE = "on the other platform"
LINK_CODE_ON = "on {platform}"
LINK_REFUSED = (
    "That did not work. A code holds for ten minutes and once, for another account than the one that asked for it, and on"
    " the platform it was asked for. After five that fail I take none from you for an hour."
)
LINK_LOCKED = "Too many codes have failed here. Please try again in an hour."
LINK_NO_PLATFORM = "{name} is neither a code, which has eight letters and digits, nor a platform I am on. I am on {platforms}."
LINK_TAKEN = (
    "You are linked here already. To add another account, write /link here and send me the code from there;"
    " /unlink goes back to a conversation of your own."
)
LINK_IN_PRIVATE = "In a direct message, please: this is about you alone."
LINKED = "Done. From now on this is the conversation you have with me on {platform}. /unlink ends that."
LINKED_THERE = (
    "{user} is linked with you now and shares this conversation. If that was not you, write /unlink at once."
)
LINKED_APART = "Done. You are known to be the same person here and on {platform}; your conversations stay apart, as it is set."
OPERATOR_LINKED = (
    "The operator has linked {user} with you: you share one conversation now. /unlink ends that."
)
NOT_LINKED = "You are not linked with another account here, so there is nothing to undo."
UNLINKED = (
    "With your next message we go on where we were here before. What was said since then stays with {users}."
)
UNLINKED_OWNER = "This conversation stays yours alone; {users} will go on without it."
OPERATOR_UNLINKED = "The operator has ended your link with your other accounts."
UNLINKED_THERE = "{user} is not linked with you any more."
UNLINKED_ALONE = (
    "{user} is not linked with you any more; with your next message we go on where we were here before."
)
WHOAMI = "You are **{user}**, and speak as {role}.\n- Person: {person}\n- Also on: {others}\n- Conversation: `{session}`"
WHOAMI_NOBODY = "not linked (/link joins another platform)"
WHOAMI_NO_OTHERS = "nowhere else"
CRON_ANSWER = "{text}\n\n⏰ {name} · `{way}` stops it"
CRON_FAILED = "⚠️ The job “{name}” has failed: {error}"
CRON_NOT_DELIVERED = "⚠️ What the job “{name}” had to say did not arrive: {error}"
CRON_SCRIPT_SAID = "What the job's script has written:\n{text}"
CRON_EARLIER = "The last answer of the job “{name}”:\n{text}"
CRON_EMPTY = "it ran, and its answer was empty"
CRON_DEADLINE = "it took longer than {seconds:.0f} seconds"
REMIND_EXAMPLES = (
    "For instance:\n"
    "- `/remind in 20m call Ana`\n"
    "- `/remind tomorrow 9:00 water the plants`\n"
    "- `/remind friday 18:30 football`\n"
    "- `/remind every day 9:00 stand-up`\n"
    "- `/remind list`, `/remind cancel 2`"
)
REMIND_MADE = "⏰ {when}: {text}\n`/remind cancel {number}` takes it back."
REMIND_NONE = "Nothing is waiting to be said."
REMIND_GONE = "Taken back: {text}"
REMIND_UNKNOWN = "There is no reminder {name} of yours. `/remind list` shows them."
REMIND_NEXT = "{often}, next {at}"
CRON_INTERRUPTED = "the gateway ended while it ran; a script is not run again by itself"
