/**
 * Every limit of the product: name, unit (in the name), value, and the reason for it.
 *
 * Not here: what may be configured (server/config.ts takes these as its defaults).
 */

export const LIMITS = {
  // --- wire -----------------------------------------------------------------------------------------------------
  /** One WebSocket message. A 1 MB document plus its deletes fits; ws would allow 100 MiB, one allocation a frame. */
  frameBytesMax: 4 * 1024 * 1024,
  /** One REST body. The same content must be possible through both doors. */
  bodyBytesMax: 4 * 1024 * 1024,
  /** More of a too large body that is read and thrown away, so that its sender gets to see the refusal. */
  bodyDrainBytesMax: 16 * 1024 * 1024,
  /** Bytes the kernel and we hold for one receiver before it counts as slow; then it is resynced by state vector. */
  outboundBytesMax: 4 * 1024 * 1024,
  /** How long a receiver may stay slow before its session is closed with 4504. */
  slowConsumerMsMax: 30_000,
  /** A stock client reconnects after 30 s without a message; ws pings do not count for it (docs/yjs.md Y14). */
  keepAliveMs: 20_000,
  /** Between two pings; a peer that answered none since the last one is cut, so a dead one is noticed within two. */
  pingMs: 30_000,
  /** Time from TCP accept to a finished upgrade. */
  upgradeMsMax: 10_000,
  /** An HTTP request has arrived whole after this long, or its connection is closed. */
  requestMsMax: 60_000,
  /** A live feed (SSE) says something at least this often: proxies drop silent connections after 30 to 60 s. */
  eventStreamHeartbeatMs: 15_000,
  /** Events of contexts that wait for a slow follower of all, one for each context and kind. */
  pendingEventsMax: 10_000,
  /** One session may have this many requests (type 104) under way: as many locks waited for and renewed, and 64 of others. */
  requestsInFlightMax: 128,
  /** Data frames of one session that wait for admission; beyond it the socket is not read (TCP pushes back). */
  inboundQueueMax: 4096,
  inboundQueueBytesMax: 16 * 1024 * 1024,
  connectionsMax: 20_000,
  /** Connections that the kernel holds until we accept them: a wave of reconnects after a restart. */
  acceptBacklog: 4096,

  // --- edges ----------------------------------------------------------------------------------------------------
  /** Request line and headers of one HTTP request. A token of some KB fits; 20,000 sockets that send them take 320 MB. */
  headerBytesMax: 16 * 1024,
  /** Entries of a forwarding header that are looked at, from the nearest hop on; no chain of proxies is as long. */
  forwardedHopsMax: 32,
  /** What was written of an answer is taken whole in this time, or the connection is cut: 10 MB at 1.4 Mbit/s. */
  answerMsMax: 60_000,

  // --- rates: what one actor may do unless configured otherwise; an address as much as `addressActors` of them --------
  /** WebSockets and live feeds of an actor at once: an agent host with a session for each of its contexts. */
  actorConnectionsMax: 500,
  /** The same of an address: an office behind one. It may have twice as many TCP connections before these are cut. */
  addressConnectionsMax: 2000,
  /** New connections of an address; all that it may have can come at once, after a restart. */
  addressConnectsPerS: 100,
  /** REST requests and requests of live sessions. A busy agent makes some ten a second, a script a hundred. */
  actorOpsPerS: 100,
  /** Messages of live sessions. A person who types and points makes 60 a second in each. */
  actorFramesPerS: 2000,
  /** Bytes of such messages, of REST bodies and of answers: a day of offline work, or a context of 10 MB, now and then. */
  actorBytesPerS: 4 * 1024 * 1024,
  /** Who was quiet may do as much at once as in this time. */
  rateBurstS: 10,
  addressActors: 10,
  /** A request that makes the server work out the past, or compile a schema, counts for so many. */
  heavyOpCost: 10,
  /** Actors and addresses without a connection whose rates are remembered, some 500 bytes each. */
  ratedIdleMax: 20_000,

  // --- audit log ------------------------------------------------------------------------------------------------
  /** Entries kept of what was done, and as many of what was denied: a flood of denials pushes out no deed. Some 300 bytes each. */
  auditEntriesMax: 100_000,
  auditAgeMsMax: 90 * 24 * 60 * 60 * 1000,
  /** Denials alike within this time are one entry with a count. */
  auditWindowMs: 60_000,
  /** Kinds of denials that are being counted at a time; beyond it the oldest one's count is closed. */
  auditWindowsMax: 1000,
  /** Entries a second, of deeds and of denials each, beyond a burst; the excess is counted in one entry. */
  auditEntriesPerS: 50,
  auditBurst: 1000,
  /** Entries that wait for a store that is away; then they are counted only. */
  auditQueueMax: 5000,
  /** Entries gather so long before they are written together. */
  auditFlushMs: 200,
  /** Pause after a write that failed. */
  auditRetryMs: 2000,
  /** Records that one query looks at; it says where to go on. */
  auditScanMax: 5000,
  /** Refused writes that are remembered of a context, in memory, and of how many contexts: some 300 bytes each. */
  refusalsMax: 200,
  refusalContextsMax: 200,
  /** Paths named by one entry, and characters of its details. */
  auditPathsMax: 16,
  auditDetailCharsMax: 1000,

  // --- names ----------------------------------------------------------------------------------------------------
  contextIdCharsMax: 128,
  pathCharsMax: 1024,
  pathStepsMax: 64,
  /** A key of an object, and a name of a root type. */
  keyCharsMax: 256,
  actorCharsMax: 128,
  nameCharsMax: 200,
  descriptionCharsMax: 2000,
  messageCharsMax: 500,
  tagsMax: 32,
  tagCharsMax: 64,
  idempotencyKeyCharsMax: 128,

  // --- one change -----------------------------------------------------------------------------------------------
  /** Operations of one JSON change. */
  opsMax: 1000,
  /** Operations of a change that the server worked out, a restored version say: a context of 10 MB has no more places. */
  plannedOpsMax: 1_000_000,
  /** Nesting of JSON in and out, and of Yjs types: deeper trees overflow the stack inside Yjs (docs/yjs.md Y2). */
  depthMax: 64,
  /** Touched paths kept in the log for one change; beyond it they are folded into their parents. */
  touchedPathsMax: 64,
  /** Structs and deletes of one update: caps the quadratic cases of Yjs. */
  updateStructsMax: 100_000,
  updateDeletesMax: 100_000,
  /** Yjs client ids that one update writes under; an honest client writes under one, a first sync under many. */
  updateClientsMax: 2000,
  /** Root types one update may name. */
  updateRootsMax: 64,
  /** Values in one update's lists, maps and formats: an empty object takes 2 bytes on the wire and 90 in memory. */
  updateValuesMax: 500_000,
  /** Different rich text formats of one update: Yjs copies the map of open formats at each item of a changed text. */
  updateFormatKeysMax: 64,
  /** A Yjs clock counts what one client ever wrote, a character each; higher ones are an attempt to use clocks up. */
  clockMax: 2 ** 31,
  /** Estimated steps of Yjs to integrate one update (server/state/update/integration-work.ts has the unit and figures). */
  updateWorkMax: 2_000_000,
  stringCharsMax: 1024 * 1024,
  /** Characters that the `edit_text` operations of one change look through: 100 edits of a 1 MB text take about 50 ms. */
  textSearchCharsMax: 100 * 1024 * 1024,
  /** Steps to find what an old and a new text have in common, some 30 ms; a passage that needs more is edited as one. */
  textDiffStepsMax: 1_000_000,

  // --- one context ----------------------------------------------------------------------------------------------
  /** Encoded state of a context. The spec's bound on memory is 10 MB; a Y.Doc is a few times its encoding. */
  contextBytesMax: 10 * 1024 * 1024,
  /** Every applied update costs O(client ids ever seen): 5 ms at 10,000 (docs/yjs.md Y18). */
  clientIdsMax: 10_000,
  rootTypesMax: 64,

  /** Yjs client ids of earlier epochs that are still recognised; the oldest are forgotten. */
  retiredIdsMax: 100_000,
  /** Paths whose last writer is kept in memory for preconditions; older ones are looked up in the log. */
  touchIndexPathsMax: 20_000,
  /** Changes that are read from the log for one precondition; a write that names an older version is refused. */
  preconditionChangesMax: 50_000,
  /** Changes of which is remembered which Yjs clocks they added: conflicts with older ones are told without actor and version. */
  clockIndexChangesMax: 4096,

  // --- history --------------------------------------------------------------------------------------------------
  /** The spec's bound on what a context takes on disk, history included; writes are refused beyond it. */
  contextStorageBytesMax: 100 * 1024 * 1024,
  /** From here on the server warns that a context comes close to the bound. */
  contextStorageBytesWarn: 80 * 1024 * 1024,
  /** Log kept of one context unless configured otherwise; thinned from the oldest end. */
  historyBytesMax: 64 * 1024 * 1024,
  /** Lines of one blame: a text that several wrote letter by letter has one for each letter. */
  blameLinesMax: 50_000,
  /** Named checkpoints of one context. */
  namedCheckpointsMax: 100,
  checkpointNameCharsMax: 100,
  /** Old versions, diffs and blames kept in memory, in bytes of all of them, and for how long. */
  historyCacheBytesMax: 64 * 1024 * 1024,
  historyCacheTtlMs: 600_000,
  /** Requests for the past that wait for a worker, over all contexts. */
  historyQueueMax: 256,
  /** Elements and members that one diff compares; beyond it a place is replaced whole. */
  diffStepsMax: 5_000_000,

  // --- conflicts ------------------------------------------------------------------------------------------------
  /** JSON kept of each side of a conflict; a larger value is kept as its outline (`{"$object": 12}`). */
  conflictValueBytesMax: 16 * 1024,
  /** Conflicts remembered of one context; older ones go, but for open ones. */
  conflictsKeptMax: 10_000,
  /** Open ones beyond those: who never decides must not make them grow for ever. */
  conflictsOpenMax: 2000,
  /** Conflicts told of one change; an offline day merged at once may have thousands. */
  conflictsPerChangeMax: 100,
  /** Runs of Yjs ids of deleted content whose place is remembered for one context, some 80 bytes each, in two generations. */
  collectedRangesMax: 5000,

  // --- locks ----------------------------------------------------------------------------------------------------
  /** Locks of one context at once. */
  locksMax: 1000,
  /** Of these, those of one actor: nobody takes all of them from the others. */
  actorLocksMax: 500,
  /** Locks that one session holds, lost and did not give back, or waits for: each edit is judged under all of them. */
  sessionLeasesMax: 32,
  /** Paths of one lock. */
  lockPathsMax: 64,
  lockPurposeCharsMax: 200,
  /** A lease must outlast a slow connection and a garbage collection, and end soon after its holder died. */
  lockTtlMsMin: 1000,
  lockTtlMsDefault: 30_000,
  lockTtlMsMax: 600_000,
  /** How long a request may wait for a lock; proxies cut silent requests after a minute. */
  lockWaitMsMax: 60_000,
  /** Requests of one context that wait for locks. */
  lockWaitersMax: 1000,
  /** How often nodes say again who waits for locks at them, and how long others go by what they said last. */
  lockWaitersEveryMs: 1000,
  lockWaitersTtlMs: 3500,
  /** Of those who wait at a node the first so many are told to others, the first word at once, later ones together. */
  lockWaitersToldMax: 100,
  lockWaitersPeersMs: 50,
  actorLockWaitersMax: 500,

  /** How long a command that ran under a lock has to end when the lock is lost, before it is killed. */
  commandStopMs: 10_000,

  // --- identity -------------------------------------------------------------------------------------------------
  /** Node takes 16 KB of headers in all. Refused before anything of it is parsed. */
  tokenCharsMax: 8192,
  /** From now to a token's end: a revocation must be kept for as long as its token would live. */
  tokenLifetimeMsMax: 366 * 24 * 60 * 60 * 1000,
  /** Of a token that is made without saying how long it shall last. */
  tokenLifetimeMsDefault: 90 * 24 * 60 * 60 * 1000,
  /** Tokens and subjects that are revoked, in memory at once: some 300 bytes each. */
  revocationsMax: 10_000,
  tokenIdCharsMax: 128,
  /** Contexts, or patterns of them, that a token grants, and paths of one grant: each is looked through at each access. */
  tokenGrantsMax: 64,
  grantPathsMax: 256,
  /** Lines of one context's access list; it is looked through once for each identity. */
  aclGrantsMax: 1000,
  /** What an identity provider's answer may take: callers wait for it. Large ones list their keys in 10 KB. */
  issuerMsMax: 5000,
  issuerBytesMax: 256 * 1024,
  /** Its keys are fetched again after this long, so that one it has withdrawn ends. */
  issuerKeysMs: 600_000,
  /** Without an answer of its, the keys it last listed count for this long. */
  issuerKeysStaleMsMax: 3_600_000,
  /** Between two fetches because of a key that was not listed, which anybody can name. */
  issuerKeysCooldownMs: 10_000,
  /** Between two attempts while it does not answer. */
  issuerRetryMs: 1000,

  // --- types ----------------------------------------------------------------------------------------------------
  /** A schema is compiled on the event loop, some 7 ms per KB. Types of hundreds of fields fit. */
  schemaBytesMax: 64 * 1024,
  /** Subschemas that apply to one value, through `$ref`, `allOf` and alternatives: references to references double quickly. */
  schemaAppliesMax: 10_000,
  typesMax: 1000,
  /** Violations told in one refusal or for one context of a report. */
  violationsToldMax: 20,
  /** Contexts that a report names; whoever has more invalid ones corrects these and registers again. */
  invalidContextsToldMax: 500,

  // --- webhooks -------------------------------------------------------------------------------------------------
  webhooksMax: 100,
  /** Patterns of contexts, and paths, of one webhook: each change is held against all of them. */
  webhookPatternsMax: 100,
  webhookUrlCharsMax: 2048,
  /** A shorter secret could be guessed from what it signed. */
  webhookSecretCharsMin: 16,
  webhookSecretCharsMax: 256,
  /** Changes and bytes of JSON in one delivery. A single larger change goes alone. */
  webhookBatchChangesMax: 100,
  webhookBatchBytesMax: 128 * 1024,
  /** Requests to one target under way, each for another context: with the former two, what deliveries hold in memory. */
  webhookRequestsMax: 4,
  /** A request that is not answered after this long has failed. */
  webhookAnswerMsMax: 10_000,
  /** Read of an answer's body, which says nothing to us, so that the connection can be used again. */
  webhookAnswerBytesMax: 64 * 1024,
  /** Pauses between attempts double from the first to the last: a target that was down is found again within the last. */
  webhookRetryMsMin: 1000,
  webhookRetryMsMax: 15 * 60_000,
  /** Attempts at a delivery that the target refuses while it takes others, some half an hour: then it is a dead letter. */
  webhookAttemptsMax: 12,
  /** Attempts at a target that takes nothing, some 23 hours: then its webhook stops. */
  webhookFailuresMax: 100,
  /** How often a server that shares its data looks for what another one wrote and died before it told. */
  webhookLookMs: 60_000,
  /** Dead letters of one webhook; at this many it stops. */
  webhookDeadLettersMax: 1000,
  /** Contexts that are known to be behind, of one webhook; more are found again in the log. */
  webhookBacklogMax: 2000,
  /** Contexts behind, and dead letters, that are told one by one. */
  webhookToldMax: 100,
  /** One request to send dead letters again goes on for so long: proxies cut silent requests after a minute. */
  webhookRedeliverMsMax: 30_000,

  // --- MCP ------------------------------------------------------------------------------------------------------
  /** Characters of data that a read gives unless asked for more: hosts warn at some 10,000 tokens and refuse 25,000. */
  mcpReadCharsDefault: 20_000,
  mcpReadCharsMin: 200,
  mcpReadCharsMax: 200_000,
  /** Characters of a context that is read as a resource; a larger one is cut as a read cuts it. */
  mcpResourceCharsMax: 1_000_000,
  /** Operations of one context_update: what a model writes in one go. */
  mcpOpsMax: 200,
  /** Contexts of one context_wait. */
  mcpWaitTargetsMax: 20,
  /** Hosts give a call up after 60 s, some paths to them after 30 s. */
  mcpWaitSecondsDefault: 25,
  mcpWaitSecondsMax: 50,
  /** Between two progress notifications of a call that waits. */
  mcpProgressMs: 5000,
  mcpFindLimitDefault: 20,
  mcpFindLimitMax: 100,
  /** Contexts, and characters in them, that one context_find with a query looks through. */
  mcpFindScanMax: 200,
  mcpFindScanCharsMax: 8_000_000,
  /** Places told of one context in which the query was found, and characters around each. */
  mcpFindMatchesMax: 5,
  mcpFindSnippetChars: 120,
  /** An agent thinks between two calls, longer than a program does. */
  mcpLockSecondsDefault: 300,
  /** What happens within it is told once to each subscriber: eighty edits are one notification, and still soon. */
  mcpNotifyMs: 75,
  /** URIs that one session, or one stream, subscribes to. */
  mcpSubscriptionsMax: 500,
  /** Of one actor at a time: calls under way, those that wait included, and open streams. */
  mcpCallsPerActorMax: 512,
  mcpStreamsPerActorMax: 256,
  /** Sessions of 2025 revisions, some 50 KB each; hosts often leave them behind. */
  mcpSessionsPerActorMax: 256,
  mcpSessionsMax: 2048,
  mcpSessionIdleMs: 1_800_000,
  /** What a session keeps of what it sent, for a client whose stream broke. */
  mcpReplayBytesMax: 256 * 1024,
  mcpReplayMessagesMax: 1000,
  mcpHistoryLimitDefault: 20,
  mcpHistoryLimitMax: 100,

  // --- presence -------------------------------------------------------------------------------------------------
  presenceBytesMax: 16 * 1024,
  /**
   * States of one session that are passed on, by their size in KB, at least one each; more often only the newest of them
   * is. A pointer's 60 a second become 30, a full state goes out twice a second: 30 KB/s for each receiver at most.
   */
  presencePerS: 30,
  presenceBurst: 30,
  /** All states of a context: 20,000 small ones, or 250 full ones. Who comes to a full context is not shown. */
  presenceContextBytesMax: 4 * 1024 * 1024,
  /** y-protocols' own timeout: a state not renewed for 30 s is gone. */
  presenceTtlMs: 30_000,
  /** Awareness entries of one frame: a client may only speak for itself. */
  presenceEntriesMax: 64,
  /** Between two messages that tell other servers who is here: each holds the newest of all lines. */
  presencePeersMs: 50,

  // --- storage --------------------------------------------------------------------------------------------------
  /** A checkpoint is due after this much tail, whichever comes first: bounds cold load and replay after a crash. */
  checkpointTailEntries: 2000,
  checkpointTailBytes: 1024 * 1024,
  /** One group commit. Larger ones raise latency without raising throughput. */
  commitEntriesMax: 5000,
  commitBytesMax: 8 * 1024 * 1024,
  /** Appends that wait for the disk before new writes are refused with STORE_UNAVAILABLE. */
  appendQueueBytesMax: 64 * 1024 * 1024,
  /** The spec's cache: lifetime of a loaded context's encoding, and the bound of all of them. */
  cacheTtlMs: 3_600_000,
  cacheBytesMax: 256 * 1024 * 1024,
  idempotencyTtlMs: 24 * 60 * 60 * 1000,
  /** Data that is read through for damage when the server starts: about a second's work. Beyond it, only each file's frame. */
  folderCheckBytesMax: 256 * 1024 * 1024,
  /** Heads of logs kept in memory for contexts without a write under way, some 300 bytes each, so that the next reads none. */
  idleHeadsMax: 20_000,
  /** First and longest pause between attempts to reopen a store that failed. */
  reopenDelayMsMin: 100,
  reopenDelayMsMax: 2000,

  // --- PostgreSQL -----------------------------------------------------------------------------------------------
  /** Connections for reading; there is one for writing. A page of a listing or a load holds one for milliseconds. */
  engineReadersMax: 8,
  /** How long another node may hold a context, a statement may run, and an answer may take: each ends before the next. */
  engineLockMs: 2000,
  engineStatementMs: 4000,
  engineQueryMs: 5000,
  /** A transaction that says nothing for so long is ended by the engine: a node that stands still holds up no other. */
  engineIdleMs: 2000,
  /** How often the contexts in memory are compared with their logs: as old as a context may be when a hint was lost. */
  headsEveryMs: 1000,
  /** How long conflicts that other servers found are gathered before sessions are told: nobody decides about one faster. */
  conflictNewsMs: 100,
  /** Writes of a context wait so long for another server that recreates its document, if that one does not say so again. */
  peerHoldMs: 2000,
  /** A node's line to the others that says nothing for so long is ended by the engine, and with it what the node leads. */
  engineLineIdleMs: 10_000,
  /** A node whose database has given no answer for so long ends its sessions: longer than an answer and an opening may take. */
  engineSilentMs: 10_000,
  /** What nodes say to each other and waits to be sent; then the oldest gives way. */
  peerQueueCharsMax: 1024 * 1024,
  /**
   * How long a node waits for what others answer, and until its last words are said: many times what it takes, and people wait
   * for it when one stands still.
   */
  peerAnswerMs: 1000,
  /** Of a question, and of an answer: a page of listLimitMax sessions has some 170,000. */
  peerAnswerCharsMax: 256 * 1024,
  /** Questions of a node that wait for answers: as a rule one waits for milliseconds. */
  peerQuestionsMax: 64,
  /** Appends of up to so much in all go along with the words of them: that is one notice of the engine, which all nodes get. */
  hintRunBytesMax: 4000,
  /** Entries of another node that are taken in at a time. */
  followEntriesMax: 1000,

  // --- monitoring -----------------------------------------------------------------------------------------------
  /** Sessions whose traffic is followed at once: each frame of theirs is read once more for it. */
  sessionTapsMax: 16,
  /** Frames that wait for one who follows, up to some KB each; what comes until it has read them is counted instead. */
  tapQueueMax: 1000,
  /** Of a larger frame only its type is read: its Yjs structs would take more than a few ms. */
  tapFrameBytesMax: 256 * 1024,
  /** Paths, clients or entries of one frame that are told one by one, and characters of one path or name. */
  tapListMax: 8,
  tapTextCharsMax: 200,
  /** Between two looks at everything: an alert comes at most this much late. */
  monitorSampleMs: 5000,
  /** Contexts that metrics may be set to tell by name: each is some series for Prometheus to keep. */
  metricsContextsMax: 1000,
  /** Alert events that wait for the webhook's target; then the oldest give way. */
  alertQueueMax: 100,
  /** First and longest pause before an alert is sent again, and how old it may get: after an hour it is no news. */
  alertRetryMsMin: 1000,
  alertRetryMsMax: 60_000,
  alertAgeMsMax: 3_600_000,
  /** How long the target of the alert webhook has to answer. */
  alertRequestMsMax: 10_000,
  /** Of one message, so many lines within so long are written to the log; the others are counted. */
  logBurstMax: 20,
  logBurstMs: 10_000,
  /** Yjs structs of a document that are looked at to estimate how many stand for deleted content: some 20 µs. */
  tombstoneSamplesMax: 2000,

  // --- data tools -----------------------------------------------------------------------------------------------
  /** Yjs updates that one context is imported from: all that a y-websocket server kept of it. */
  importBytesMax: 64 * 1024 * 1024,
  /** The same as JSON, which is read on the event loop. */
  importJsonBytesMax: 16 * 1024 * 1024,
  /** Structs, deletes and values of one update of an import, which may be a whole document: some 250 MB as a Y.Doc. */
  importStructsMax: 1_000_000,
  /** Imports under way at once; each holds its input. */
  importsInFlightMax: 2,
  /** Refused updates that an import tells one by one; the others are counted. */
  importRefusalsToldMax: 20,
  /** Backups under way at once: each keeps what is overwritten meanwhile on the disk. */
  backupsInFlightMax: 1,

  // --- server ---------------------------------------------------------------------------------------------------
  /** A context without sessions stays in memory this long after its last use. */
  idleUnloadMs: 60_000,
  /** Encoded bytes of all live contexts in memory; the least recently used idle ones go first. */
  liveBytesMax: 512 * 1024 * 1024,
  listLimitDefault: 50,
  listLimitMax: 500,
  /** How long connections have to end by themselves once a stopping server has told them. */
  closeGraceMs: 1000,
  /** How long a server may take to stop; then it ends itself. Docker ends it after 10 s, and says nothing. */
  stopMsMax: 9000,
} as const;

export type Limits = { readonly [K in keyof typeof LIMITS]: number };
