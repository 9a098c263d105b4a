using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>The names of all keys and channels of one model's queue, for C# and for the Lua scripts (<see cref="Lua"/>).</summary>
/// <remarks>
/// The model's name is the hash tag. On a Redis Cluster all keys of a model are in one hash slot, so one script may use them all.
/// These keys have no expiry and are bounded: the two streams with their group (<see cref="QueueOptions.MaxLength"/>),
/// <c>stats</c> (a few counters) and <c>dead</c> (trimmed to 100,000 entries). All others expire.
/// </remarks>
sealed class QueueKeys(string model)
{
    const string Interactive = "interactive", Batch = "batch";

    /// <summary>The consumer group of all workers; created at id 0.</summary>
    public const string Group = "workers";

    /// <summary>The prefix of every key.</summary>
    public RedisKey Prefix { get; } = $"muse:{{{model}}}:";

    /// <summary>A stream with one entry per waiting or running image.</summary>
    public RedisKey Stream(JobPriority lane) => Prefix.Append("stream:" + Lane(lane));

    /// <summary>A lane's name in keys and scripts.</summary>
    public static string Lane(JobPriority lane) => lane == JobPriority.Interactive ? Interactive : Batch;

    /// <summary>A job's hash: its request and state, and the state of its images. It is small and read as a whole.</summary>
    public RedisKey Job(string id) => Prefix.Append("job:" + id);

    /// <summary>
    /// A finished image: its bytes at <c>bytes</c>, format and size at <c>info</c>. With an object store there are no bytes, and the info
    /// ends with the object's length and key.
    /// </summary>
    public RedisKey Image(string id, int index) => Prefix.Append($"job:{id}:pictures:{index}");

    /// <summary>A large image on its way, until a script renames it to <see cref="Image"/> or deletes it.</summary>
    /// <param name="id">The job.</param>
    /// <param name="index">The image's index in the job.</param>
    /// <param name="upload">A name that no other upload has.</param>
    public RedisKey ImageUpload(string id, int index, string upload) => Prefix.Append($"job:{id}:pictures:{index}:{upload}");

    /// <summary>
    /// The image that a job starts from, at <c>image</c>, and its mask, at <c>mask</c>. With an object store, a pointer at <c>object</c>.
    /// </summary>
    public RedisKey Input(string id) => Prefix.Append("job:" + id + ":input");

    /// <summary>The same on its way, until the job is accepted or rejected.</summary>
    public RedisKey InputUpload(string id) => Prefix.Append("job:" + id + ":input:upload");

    /// <summary>The state of an image from which another worker can resume.</summary>
    public RedisKey Checkpoint(string id, int index) => Prefix.Append($"job:{id}:checkpoint:{index}");

    /// <summary>The same on its way from a worker, until a script renames or deletes it.</summary>
    public RedisKey CheckpointUpload(string id, int index, string worker) => Prefix.Append($"job:{id}:checkpoint:{index}:{worker}");

    /// <summary>A job's previews, at <c>{index}:preview</c>, with format and size at <c>{index}:info</c>.</summary>
    public RedisKey Work(string id) => Prefix.Append("job:" + id + ":work");

    /// <summary>An owner's jobs, a sorted set ordered by name: <c>{milliseconds}-{id}</c>.</summary>
    public RedisKey Owner(string owner) => Prefix.Append("owner:" + owner);

    /// <summary>The job of an idempotency key: <c>{id} {hash of the request}</c>.</summary>
    public RedisKey Idempotency(string owner, string key) => Prefix.Append("idempotency:" + owner + ":" + key);

    /// <summary>Jobs whose response did not reach the client, a list for the client's retry of the same request.</summary>
    public RedisKey Interrupted(string owner, string request) => Prefix.Append("interrupted:" + owner + ":" + request);

    /// <summary>
    /// Counters: <c>added:{lane}</c>, <c>completed</c> (images ended in any way). <c>capacity</c>: the fleet's measured images per second.
    /// <c>called</c>: when work was signalled, until a worker reads. <c>epoch</c>: the newest epoch of the autoscalers' leader.
    /// </summary>
    public RedisKey Stats => Prefix.Append("stats");

    /// <summary>Waiting times of recently started images, a stream with one entry per read.</summary>
    public RedisKey Waits => Prefix.Append("waits");

    /// <summary>Jobs whose webhook is to be called, a sorted set by the end of the lease.</summary>
    public RedisKey Webhooks => Prefix.Append("webhooks");

    /// <summary>Webhooks that could not be delivered so far, a hash by job.</summary>
    public RedisKey WebhookDeliveries => Prefix.Append("webhooks:deliveries");

    /// <summary>The secret that all API processes sign the links of images with.</summary>
    public RedisKey LinkSecret => Prefix.Append("link-secret");

    /// <summary>Exists from one turn of <see cref="ObjectSweep"/> until the next.</summary>
    public RedisKey Sweep => Prefix.Append("sweep");

    /// <summary>Written before replicas are waited for (<see cref="ReplicatedWrites"/>).</summary>
    public RedisKey Replication => Prefix.Append("replication");

    /// <summary>The dead letters, a stream.</summary>
    public RedisKey Dead => Prefix.Append("dead");

    /// <summary>Heartbeats by worker.</summary>
    public RedisKey Fleet => Prefix.Append("fleet");

    /// <summary>The time of each worker's last heartbeat, a sorted set.</summary>
    public RedisKey Seen => Prefix.Append("fleet:seen");

    /// <summary>Exists while a worker is asked to drain.</summary>
    public RedisKey Drain(string worker) => Prefix.Append("fleet:drain:" + worker);

    /// <summary>The model's card.</summary>
    public RedisKey Model => Prefix.Append("fleet:model");

    /// <summary>The autoscaler's decisions, a list, newest first.</summary>
    public RedisKey Decisions => Prefix.Append("fleet:decisions");

    /// <summary>The channel for changes of jobs: <c>{id} {revision} {state}</c>, one job per line.</summary>
    public RedisChannel Events => RedisChannel.Literal($"muse:{{{model}}}:events");

    /// <summary>The channel for <see cref="QueueSignals"/>.</summary>
    public RedisChannel Signals => RedisChannel.Literal($"muse:{{{model}}}:calls");

    /// <summary>
    /// The same names, states, outcomes and signals as Lua locals. It precedes every script. Scripts get <see cref="Prefix"/> as their
    /// only key.
    /// </summary>
    public static string Lua { get; } = $$"""
        local P = KEYS[1]
        local GROUP = '{{Group}}'
        local INTERACTIVE, BATCH = '{{Interactive}}', '{{Batch}}'
        local LANES = { INTERACTIVE, BATCH }
        local QUEUED, RUNNING = '{{JobState.Queued:d}}', '{{JobState.Running:d}}'
        local SUCCEEDED, FAILED, CANCELLED = '{{JobState.Succeeded:d}}', '{{JobState.Failed:d}}', '{{JobState.Cancelled:d}}'
        local ACCEPTED, DUPLICATE = '{{SubmitReply.Accepted}}', '{{SubmitReply.Duplicate}}'
        local KEY_REUSED, QUEUE_FULL, SUBMIT_ERROR = '{{SubmitReply.KeyReused}}', '{{SubmitReply.QueueFull}}', '{{SubmitReply.Error}}'
        local SIGNAL_WORK, SIGNAL_HANDBACK, SIGNAL_CANCEL = '{{QueueSignals.Work}}', '{{QueueSignals.HandBack}}', '{{QueueSignals.Cancel}}'
        local SIGNAL_DECISION = '{{QueueSignals.Decision}}'
        local STREAMS = { [INTERACTIVE] = P .. 'stream:interactive', [BATCH] = P .. 'stream:batch' }
        local STATS, WAITS, WEBHOOKS, DEAD = P .. 'stats', P .. 'waits', P .. 'webhooks', P .. 'dead'
        local PROBE = P .. 'probe'
        local MAX_IMAGES = {{JobHash.MaxImages}}
        local HEARTBEAT_TIMEOUT = {{(int)Muse.Queue.Fleet.HeartbeatTimeout.TotalMilliseconds}}
        -- The ordinals of entries that were cancelled before they were started. They do not count in positions.
        local CANCELLED_ENTRIES = { [INTERACTIVE] = P .. 'cancelled:interactive', [BATCH] = P .. 'cancelled:batch' }
        local FLEET, SEEN, RATES = P .. 'fleet', P .. 'fleet:seen', P .. 'fleet:speeds'
        -- The autoscalers' leader: its epoch, a space, its name.
        local LEADER, DECISIONS = P .. 'fleet:leader', P .. 'fleet:decisions'
        local EVENTS, SIGNALS = P .. 'events', P .. 'calls'
        local function job_key(id) return P .. 'job:' .. id end
        local function image_key(id, index) return P .. 'job:' .. id .. ':pictures:' .. index end
        local function image_upload_key(id, index, upload) return image_key(id, index) .. ':' .. upload end
        local function input_key(id) return P .. 'job:' .. id .. ':input' end
        local function input_upload_key(id) return input_key(id) .. ':upload' end
        local function checkpoint_key(id, index) return P .. 'job:' .. id .. ':checkpoint:' .. index end
        local function checkpoint_upload_key(id, index, worker) return checkpoint_key(id, index) .. ':' .. worker end
        local function work_key(id) return P .. 'job:' .. id .. ':work' end
        local function drain_key(worker) return P .. 'fleet:drain:' .. worker end
        local function owner_key(owner) return P .. 'owner:' .. owner end
        -- Images that a caller has submitted in a window of its rate limit.
        local function rate_limit_key(owner, window) return P .. 'rate:' .. owner .. ':' .. window end
        local function idempotency_key(owner, key) return P .. 'idempotency:' .. owner .. ':' .. key end

        """;
}
