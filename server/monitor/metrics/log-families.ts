/** Metrics of writes and of the log: what was taken and refused, how fast it became durable, and the disk. */
import type { Families } from "./families.ts";
import type { MetricParts } from "./metric-parts.ts";

export function describeLog(families: Families, parts: MetricParts): void {
  describeWrites(families, parts);
  describeCommits(families, parts);
  describeState(families, parts);
  describeUpkeep(families, parts);
  describeDisk(families, parts);
}

function describeWrites(families: Families, { counts }: MetricParts): void {
  families.tally(
    {
      name: "mcm_writes_total",
      what: "Writes that are durable, by kind (update, json, policy of a conflict, lock, meta) and outcome (changed, unchanged, void).",
      bad: "Voids are live edits that were refused for their place or content; many unchanged ones are clients that repeat themselves.",
    },
    counts.writes,
  );
  families.tally(
    {
      name: "mcm_writes_refused_total",
      what: "Writes that were not taken, by kind, code and, within the code, rule.",
      bad: "MALFORMED_UPDATE is a broken or hostile client, LOCKED one that ignores locks, STORE_UNAVAILABLE the disk.",
    },
    counts.refusals,
  );
  families.durations(
    {
      name: "mcm_ack_seconds",
      what: "Time from the queueing of the first write of a turn to the answer to each of its writes.",
      bad: "Above 0.05 s writers wait: the disk (mcm_log_commit_seconds) or the event loop is late.",
    },
    () => [[{}, counts.acks.all]],
  );
}

function describeCommits(families: Families, { counts }: MetricParts): void {
  families.durations(
    {
      name: "mcm_log_commit_seconds",
      what: "Time that one batch of the log took to the disk, fsync included.",
      bad: "Above 0.02 s the disk is slow or shared; every ack waits for it.",
    },
    () => [[{}, counts.commits.all]],
  );
  families.count(
    {
      name: "mcm_log_committed_entries_total",
      what: "Records that were written in batches.",
      bad: "One that stands still while mcm_log_queue_bytes grows is a disk that hangs.",
    },
    () => counts.committedEntries,
  );
  families.count(
    {
      name: "mcm_log_committed_bytes_total",
      what: "Bytes that were written in batches.",
      bad: "Its rate against the disk's own is what LevelDB adds by compacting.",
    },
    () => counts.committedBytes,
  );
  families.count(
    {
      name: "mcm_log_commits_failed_total",
      what: "Batches that could not be written.",
      bad: "Any is a full or failing disk: nothing is acknowledged until the log was opened again.",
    },
    () => counts.failedCommits,
  );
}

function describeState(families: Families, { census }: MetricParts): void {
  const log = () => census().log;
  families.gauge(
    {
      name: "mcm_log_writable",
      what: "1 while the log can be written.",
      bad: "0 means that every write is refused; /readyz says why.",
    },
    () => (log().available ? 1 : 0),
  );
  families.gauge(
    {
      name: "mcm_log_lag_seconds",
      what: "Age of the oldest change that waits for the disk.",
      bad: "Above 1 s nobody sees anybody's changes in time.",
    },
    () => log().lagMs / 1000,
  );
  families.gauge(
    {
      name: "mcm_log_queue_bytes",
      what: "Bytes of changes that wait for the disk.",
      bad: "Grows when the disk is slower than the writers; at 64 MB writes are refused.",
    },
    () => log().queueBytes,
  );
}

function describeUpkeep(families: Families, { counts }: MetricParts): void {
  families.count(
    {
      name: "mcm_log_damaged_reads_total",
      what: "Reads that met records which are not what was written.",
      bad: "Any is a disk or a person that changed files of the data folder.",
    },
    () => counts.damagedReads,
  );
  families.count(
    {
      name: "mcm_checkpoints_total",
      what: "Checkpoints that were made beside the traffic.",
      bad: "One that stands still while changes come makes contexts slow to load.",
    },
    () => counts.checkpoints,
  );
  families.count(
    {
      name: "mcm_checkpoints_failed_total",
      what: "Checkpoints that could not be made.",
      bad: "Any leaves a context with a longer log to load; the server's log names it.",
    },
    () => counts.failedCheckpoints,
  );
  families.tally(
    {
      name: "mcm_cache_reads_total",
      what: "Reads of caches (contexts of the log, encoded states, answers about the past) by outcome.",
      bad: "Many misses among contexts mean that more is used at once than fits into 256 MB.",
    },
    counts.cacheReads,
  );
}

function describeDisk(families: Families, { samples }: MetricParts): void {
  const disk = () => samples.latest?.disk;
  families.gauge(
    {
      name: "mcm_disk_free_bytes",
      what: "Free bytes of the disk under the data folder.",
      bad: "At 0 no write is taken; LevelDB needs room to compact.",
    },
    () => disk()?.freeBytes,
  );
  families.gauge(
    {
      name: "mcm_disk_total_bytes",
      what: "Size of the disk under the data folder.",
      bad: "Only good beside mcm_disk_free_bytes: below a tenth that is free, somebody should look.",
    },
    () => disk()?.totalBytes,
  );
  families.gauge(
    {
      name: "mcm_data_folder_bytes",
      what: "Bytes of the files in the data folder.",
      bad: "Grows without end only if contexts do: history is bounded for each.",
    },
    () => disk()?.folderBytes,
  );
  families.gauge(
    {
      name: "mcm_file_system_answer_seconds",
      what: "Time of the smallest request to the file system, through libuv's threads.",
      bad: "Above 0.1 s the threads are busy (UV_THREADPOOL_SIZE) or the disk hangs.",
    },
    () => {
      const answerMs = disk()?.answerMs;
      return answerMs === undefined ? undefined : answerMs / 1000;
    },
  );
}
