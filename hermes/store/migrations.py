"""The statements that make each version of the schema out of the one before; see ``schema``. Never changed once released."""

INITIAL = (
    """CREATE TABLE writer (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch INTEGER NOT NULL,
        batch INTEGER NOT NULL,
        probed_at REAL)""",
    "INSERT INTO writer (id, epoch, batch) VALUES (1, 0, 0)",
    """CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    """INSERT INTO counters (name) VALUES ('received'), ('answered'), ('merged'), ('refused'), ('denied'),
        ('ignored'), ('stopped'), ('failed')""",
    """CREATE TABLE dedupe (
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        event_id TEXT NOT NULL,
        row_id INTEGER NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (platform, account, event_id)) WITHOUT ROWID""",
    """CREATE TABLE inbox (
        row_id INTEGER PRIMARY KEY,
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        trace TEXT NOT NULL,
        received_at REAL NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('accepted', 'routed', 'in_turn', 'answered', 'merged', 'refused',
            'denied', 'ignored', 'stopped', 'failed')),
        rule TEXT NOT NULL DEFAULT '',
        session_key TEXT,
        seq INTEGER,
        turn_id TEXT,
        boot_id TEXT,
        incarnation INTEGER,
        crashes INTEGER NOT NULL DEFAULT 0,
        boots INTEGER NOT NULL DEFAULT 0,
        text TEXT NOT NULL DEFAULT '',
        event BLOB,
        raw BLOB)""",
    "CREATE INDEX inbox_accepted ON inbox (row_id, platform, account, chat_id) WHERE state = 'accepted'",
    "CREATE INDEX inbox_chat ON inbox (platform, account, chat_id, row_id) WHERE state <> 'accepted'",
    "CREATE INDEX inbox_owned ON inbox (session_key, seq) WHERE state IN ('routed', 'in_turn')",
    """CREATE TRIGGER inbox_received AFTER INSERT ON inbox BEGIN
        INSERT INTO dedupe VALUES (new.platform, new.account, new.event_id, new.row_id, new.received_at);
        UPDATE counters SET value = value + 1 WHERE name IN ('received', new.state);
    END""",
    """CREATE TRIGGER inbox_ended AFTER UPDATE OF state ON inbox WHEN new.state <> old.state BEGIN
        UPDATE counters SET value = value + 1 WHERE name = new.state;
    END""",
    """CREATE TABLE sessions (
        session_key TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        generation INTEGER NOT NULL DEFAULT 0,
        last_seq INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        last_active_at REAL NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE turn_steps (
        turn_id TEXT NOT NULL,
        n INTEGER NOT NULL,
        at REAL NOT NULL,
        step BLOB NOT NULL,
        PRIMARY KEY (turn_id, n)) WITHOUT ROWID""",
    """CREATE TABLE transcript (
        line_id INTEGER PRIMARY KEY,
        session_key TEXT NOT NULL,
        session_id TEXT NOT NULL,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        at REAL NOT NULL,
        turn_id TEXT,
        seq INTEGER)""",
    "CREATE INDEX transcript_stretch ON transcript (session_key, session_id, line_id)",
    """CREATE VIRTUAL TABLE transcript_fts USING fts5 (
        text, content='transcript', content_rowid='line_id', tokenize='unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER transcript_added AFTER INSERT ON transcript BEGIN
        INSERT INTO transcript_fts (rowid, text) VALUES (new.line_id, new.text);
    END""",
    """CREATE TRIGGER transcript_removed AFTER DELETE ON transcript BEGIN
        INSERT INTO transcript_fts (transcript_fts, rowid, text) VALUES ('delete', old.line_id, old.text);
    END""",
    """CREATE TRIGGER transcript_changed AFTER UPDATE OF text ON transcript BEGIN
        INSERT INTO transcript_fts (transcript_fts, rowid, text) VALUES ('delete', old.line_id, old.text);
        INSERT INTO transcript_fts (rowid, text) VALUES (new.line_id, new.text);
    END""",
    """CREATE TABLE outbox (
        row_id INTEGER PRIMARY KEY,
        delivery_id TEXT NOT NULL UNIQUE,
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        trace TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'prepared' CHECK (state IN ('prepared', 'sending', 'retry', 'unknown', 'sent',
            'dead')),
        parts_sent INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before REAL NOT NULL DEFAULT 0,
        failure TEXT NOT NULL DEFAULT '',
        boot_id TEXT,
        incarnation INTEGER,
        created_at REAL NOT NULL,
        changed_at REAL NOT NULL,
        expires_at REAL,
        secret INTEGER NOT NULL,
        text TEXT NOT NULL,
        message BLOB NOT NULL)""",
    "CREATE INDEX outbox_chat ON outbox (platform, account, chat_id, row_id)",
    """CREATE INDEX outbox_open ON outbox (platform, account, chat_id, row_id)
        WHERE state IN ('prepared', 'sending', 'retry', 'unknown')""",
    "CREATE INDEX outbox_dead ON outbox (row_id) WHERE state = 'dead'",
    """CREATE TRIGGER outbox_secret AFTER UPDATE OF state ON outbox
        WHEN new.secret AND new.state IN ('sent', 'dead') BEGIN
        UPDATE outbox SET text = '' WHERE row_id = new.row_id;
    END""",
    """CREATE TABLE receipts (
        outbox_row_id INTEGER NOT NULL,
        part INTEGER NOT NULL,
        message_id TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (outbox_row_id, part)) WITHOUT ROWID""",
    "CREATE TABLE events (event_id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)",
    """CREATE TABLE notes (
        note_id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,
        at REAL NOT NULL)""",
    "CREATE TABLE login_codes (code_hash BLOB PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE browser_sessions (session_hash BLOB PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID",
)

SECOND = (
    # Sessions: where their people are, what has become of them, and what each stretch has cost.
    "ALTER TABLE sessions ADD COLUMN platform TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN account TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN chat_type TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN chat_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN thread_id TEXT",
    "ALTER TABLE sessions ADD COLUMN title TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sessions ADD COLUMN resume_reason TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN resume_marked_at REAL",
    """UPDATE sessions SET (platform, account, chat_id) = (
        SELECT platform, account, chat_id FROM inbox WHERE inbox.session_key = sessions.session_key
        ORDER BY row_id DESC LIMIT 1)
        WHERE session_key IN (SELECT session_key FROM inbox)""",
    """CREATE TABLE stretches (
        session_key TEXT NOT NULL,
        session_id TEXT NOT NULL,
        started_at REAL NOT NULL,
        ended_at REAL,
        end_reason TEXT NOT NULL DEFAULT '',
        input_tokens INTEGER NOT NULL DEFAULT 0,
        output_tokens INTEGER NOT NULL DEFAULT 0,
        cache_read_tokens INTEGER NOT NULL DEFAULT 0,
        cache_write_tokens INTEGER NOT NULL DEFAULT 0,
        cost_usd REAL NOT NULL DEFAULT 0,
        PRIMARY KEY (session_key, session_id)) WITHOUT ROWID""",
    """INSERT INTO stretches (session_key, session_id, started_at, ended_at, end_reason)
        SELECT session_key, session_id, min(at), max(at), 'session_reset' FROM transcript GROUP BY 1, 2""",
    """INSERT INTO stretches (session_key, session_id, started_at)
        SELECT session_key, session_id, last_active_at FROM sessions WHERE true
        ON CONFLICT (session_key, session_id) DO UPDATE SET ended_at = NULL, end_reason = ''""",
    "ALTER TABLE inbox ADD COLUMN session_id TEXT",
    """UPDATE inbox SET session_id = (SELECT session_id FROM sessions WHERE sessions.session_key = inbox.session_key)
        WHERE state IN ('routed', 'in_turn')""",
    # Busy conversations: their own mode, and the messages that an interrupted turn answers with the others.
    "ALTER TABLE sessions ADD COLUMN busy_mode TEXT CHECK (busy_mode IN ('interrupt', 'queue', 'steer', 'collect'))",
    "CREATE INDEX inbox_merged ON inbox (turn_id) WHERE state = 'merged'",
    # A message's way with its times: by trigger, so that no operation can forget it. No index: people ask, rarely.
    "ALTER TABLE writer ADD COLUMN at REAL NOT NULL DEFAULT 0",
    """CREATE TABLE journey (
        row_id INTEGER NOT NULL,
        at REAL NOT NULL,
        state TEXT NOT NULL,
        rule TEXT NOT NULL,
        turn_id TEXT,
        boot_id TEXT,
        incarnation INTEGER)""",
    """CREATE TRIGGER inbox_moved AFTER UPDATE OF state ON inbox BEGIN
        INSERT INTO journey SELECT new.row_id, writer.at, new.state, new.rule, new.turn_id, new.boot_id, new.incarnation
            FROM writer;
    END""",
    "ALTER TABLE outbox ADD COLUMN sending_at REAL",
    # What a chat has still to be told that it has missed.
    """CREATE TABLE missed (
        row_id INTEGER PRIMARY KEY,
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        at REAL NOT NULL)""",
)

THIRD = (
    # People: who is the same person on several platforms, and how they prove it.
    """CREATE TABLE persons (
        person_id TEXT PRIMARY KEY,
        name TEXT NOT NULL DEFAULT '',
        session_key TEXT NOT NULL,
        created_at REAL NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE identities (
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        user_id TEXT NOT NULL,
        person_id TEXT NOT NULL,
        place INTEGER NOT NULL,
        own_key TEXT NOT NULL,
        every_dm INTEGER NOT NULL,
        chat_id TEXT,
        linked_at REAL NOT NULL,
        PRIMARY KEY (platform, account, user_id)) WITHOUT ROWID""",
    "CREATE INDEX identities_person ON identities (person_id, place)",
    """CREATE TABLE link_codes (
        code_id TEXT PRIMARY KEY,
        salt TEXT NOT NULL,
        hash TEXT NOT NULL,
        for_platform TEXT,
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        user_id TEXT NOT NULL,
        own_key TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        expires_at REAL NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE link_attempts (
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        user_id TEXT NOT NULL,
        failures INTEGER NOT NULL DEFAULT 0,
        locked_until REAL NOT NULL DEFAULT 0,
        PRIMARY KEY (platform, account, user_id)) WITHOUT ROWID""",
    "ALTER TABLE sessions ADD COLUMN user_id TEXT",
    # What an agent may do only once somebody has said so.
    """CREATE TABLE approvals (
        approval_id TEXT PRIMARY KEY,
        session_key TEXT NOT NULL,
        number INTEGER NOT NULL,
        turn_id TEXT NOT NULL,
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        action TEXT NOT NULL,
        detail TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'void')),
        asked_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        decided_at REAL,
        decided_by TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT '',
        decided_step INTEGER,
        boot_id TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE UNIQUE INDEX approvals_number ON approvals (session_key, number)",
    "CREATE INDEX approvals_pending ON approvals (session_key) WHERE state = 'pending'",
    "CREATE INDEX approvals_turn ON approvals (turn_id)",
    """CREATE TRIGGER approvals_void AFTER UPDATE OF state ON inbox
        WHEN new.state NOT IN ('routed', 'in_turn') AND old.turn_id IS NOT NULL BEGIN
        UPDATE approvals SET state = 'void', decided_at = (SELECT at FROM writer)
            WHERE turn_id = old.turn_id AND state = 'pending';
    END""",
    # What commands change: names of stretches, lines taken back, where a platform's notices go.
    "ALTER TABLE stretches ADD COLUMN title TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE transcript ADD COLUMN undone_at REAL",
    """CREATE TABLE homes (
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        thread_id TEXT,
        name TEXT NOT NULL DEFAULT '',
        at REAL NOT NULL,
        PRIMARY KEY (platform, account)) WITHOUT ROWID""",
    # Until when a platform wants to be left alone by a bot, or in one chat.
    "CREATE TABLE floods (scope TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
    # Chats in which nobody is reached any more; a receipt from there clears it, and the row stays to say so.
    """CREATE TABLE dead_targets (
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        failure TEXT NOT NULL,
        at REAL NOT NULL,
        cleared_at REAL,
        PRIMARY KEY (platform, account, chat_id)) WITHOUT ROWID""",
    """CREATE TRIGGER dead_target_reached AFTER INSERT ON receipts
        WHEN EXISTS (SELECT 1 FROM dead_targets WHERE cleared_at IS NULL) BEGIN
        UPDATE dead_targets SET cleared_at = new.at WHERE cleared_at IS NULL AND (platform, account, chat_id) = (
            SELECT platform, account, chat_id FROM outbox WHERE row_id = new.outbox_row_id);
    END""",
    # Each life of the process, and how it ended: '' if nobody was there to say so.
    """CREATE TABLE boots (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        boot_id TEXT NOT NULL UNIQUE,
        at REAL NOT NULL,
        ended TEXT NOT NULL DEFAULT '')""",
    # Something was erased, and what is left of it in the file's free space has still to be overwritten.
    "ALTER TABLE writer ADD COLUMN unclean INTEGER NOT NULL DEFAULT 0",
    # What the operator has done, and who has linked whom.
    """CREATE TABLE audit (
        audit_id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL DEFAULT '',
        detail TEXT NOT NULL DEFAULT '')""",
)

FOURTH = (
    # Answers that are shown while they are written, beside the row of the whole answer: hermes.delivery.stream.
    """CREATE TABLE streams (
        delivery_id TEXT PRIMARY KEY,
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('opening', 'open', 'closed', 'unknown')),
        sends INTEGER NOT NULL,
        above TEXT NOT NULL,
        kept TEXT NOT NULL,
        segments TEXT NOT NULL,
        leftover TEXT NOT NULL,
        boot_id TEXT NOT NULL,
        at REAL NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX streams_chat ON streams (platform, account, chat_id)",
)

FIFTH = (
    # Each firing of a job: claimed once for its instant, and what became of it, and of what it had to say, apart.
    """CREATE TABLE cron_runs (
        run_id INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id TEXT NOT NULL,
        due_at REAL NOT NULL,
        name TEXT NOT NULL,
        by_hand INTEGER NOT NULL,
        run_state TEXT NOT NULL CHECK (run_state IN
            ('claimed', 'running', 'ok', 'silent', 'error', 'skipped', 'cancelled', 'interrupted')),
        delivery_state TEXT NOT NULL DEFAULT 'none' CHECK (delivery_state IN
            ('none', 'pending', 'delivered', 'stored', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0,
        claimed_at REAL NOT NULL,
        started_at REAL,
        ended_at REAL,
        boot_id TEXT NOT NULL,
        error TEXT NOT NULL DEFAULT '',
        delivery_error TEXT NOT NULL DEFAULT '',
        deliveries TEXT NOT NULL DEFAULT '[]',
        output TEXT NOT NULL DEFAULT '',
        UNIQUE (job_id, due_at))""",
    "CREATE INDEX cron_runs_open ON cron_runs (run_id) WHERE run_state IN ('claimed', 'running')",
    "CREATE INDEX cron_runs_pending ON cron_runs (run_id) WHERE delivery_state = 'pending'",
)

SIXTH = (
    # Keeping house: rows whose words are gone, how far memory has each stretch, when each task was done.
    "ALTER TABLE inbox ADD COLUMN emptied INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sessions ADD COLUMN expired_at REAL",
    "ALTER TABLE stretches ADD COLUMN kept INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE stretches ADD COLUMN kept_line INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE stretches ADD COLUMN tries INTEGER NOT NULL DEFAULT 0",
    "UPDATE stretches SET kept = 1 WHERE ended_at IS NOT NULL",
    "CREATE INDEX stretches_unkept ON stretches (ended_at) WHERE ended_at IS NOT NULL AND kept = 0",
    "CREATE INDEX stretches_in_vain ON stretches (session_key) WHERE tries > 0",
    """CREATE TABLE upkeep (
        task TEXT PRIMARY KEY,
        at REAL NOT NULL,
        took_s REAL NOT NULL,
        done TEXT NOT NULL) WITHOUT ROWID""",
    # Somebody who writes is there.
    "CREATE INDEX dead_targets_open ON dead_targets (platform, account, chat_id) WHERE cleared_at IS NULL",
    """CREATE TRIGGER dead_target_heard AFTER UPDATE OF state ON inbox WHEN old.state = 'accepted'
        AND EXISTS (SELECT 1 FROM dead_targets WHERE cleared_at IS NULL) BEGIN
        UPDATE dead_targets SET cleared_at = (SELECT at FROM writer) WHERE cleared_at IS NULL
            AND platform = new.platform AND account = new.account AND chat_id = new.chat_id;
    END""",
    # Dedupe keys of people who were forgotten, in place of the names that may tell who they were.
    "ALTER TABLE writer ADD COLUMN salt BLOB NOT NULL DEFAULT x''",
    "UPDATE writer SET salt = randomblob(16)",
    """CREATE TABLE forgotten_events (
        digest BLOB PRIMARY KEY,
        row_id INTEGER NOT NULL,
        at REAL NOT NULL) WITHOUT ROWID""",
    # The tools on the way to an answer, with the answer: never one without the other.
    "ALTER TABLE transcript ADD COLUMN used TEXT NOT NULL DEFAULT ''",
    # Chats that have become others: a group that its platform has made a supergroup.
    """CREATE TABLE moved_chats (
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        moved_to TEXT NOT NULL,
        goes_on INTEGER NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (platform, account, chat_id)) WITHOUT ROWID""",
    # In which chat somebody asked for the restart that ended this life: JSON, to be told there that we are back.
    "ALTER TABLE boots ADD COLUMN asked_by TEXT NOT NULL DEFAULT ''",
    # How much of a message in several parts each of them was: what is left of it is known also where it would be cut otherwise.
    "ALTER TABLE receipts ADD COLUMN said INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE receipts ADD COLUMN files INTEGER NOT NULL DEFAULT 0",
    # Conversations of one question: a program that names none.
    "ALTER TABLE sessions ADD COLUMN once INTEGER NOT NULL DEFAULT 0",
)

SEVENTH = ("CREATE TABLE imported (session_id TEXT PRIMARY KEY, messages INTEGER NOT NULL) WITHOUT ROWID",)
