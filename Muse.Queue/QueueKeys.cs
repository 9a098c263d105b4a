using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Every key, field and channel of one model's queue: their one home, for C# and for the Lua scripts (<see cref="Lua"/>).</summary>
/// <remarks>
/// The model's name is the hash tag, so on a Redis Cluster all keys of a model lie in one slot and one script may touch them.
/// Without expiry are, by design and bounded: the two streams with their group (<see cref="QueueOptions.MaxLength"/>),
/// <c>stats</c> (a few counters) and <c>dead</c> (trimmed to 100,000 letters). Everything else expires.
/// </remarks>
sealed class QueueKeys(string model)
{
    /// <summary>The consumer group that all workers read with; created at id 0.</summary>
    public const string Group = "workers";

    /// <summary>What every key begins with.</summary>
    public RedisKey Prefix { get; } = $"muse:{{{model}}}:";

    /// <summary>One entry a waiting or running picture.</summary>
    public RedisKey Stream(JobPriority lane) => Prefix.Append(lane == JobPriority.Interactive ? "stream:interactive" : "stream:batch");

    /// <summary>A job's hash: what was asked, where it and its pictures stand. Small: read whole.</summary>
    public RedisKey Job(string id) => Prefix.Append("job:" + id);

    /// <summary>A job's finished pictures: bytes at <c>{index}</c>, format and size at <c>{index}:info</c>.</summary>
    public RedisKey Pictures(string id) => Prefix.Append("job:" + id + ":pictures");

    /// <summary>What is only of use while a job is in work: checkpoints at <c>{index}:checkpoint</c>, previews at <c>{index}:preview</c>.</summary>
    public RedisKey Work(string id) => Prefix.Append("job:" + id + ":work");

    /// <summary>An owner's jobs, a sorted set ordered by name: <c>{milliseconds}-{id}</c>.</summary>
    public RedisKey Owner(string owner) => Prefix.Append("owner:" + owner);

    /// <summary>Which job an idempotency key led to: <c>{id} {hash of the request}</c>.</summary>
    public RedisKey Idempotency(string owner, string key) => Prefix.Append("idempotency:" + owner + ":" + key);

    /// <summary>Jobs whose response did not reach the client, a list for the client's retry of the same request.</summary>
    public RedisKey Interrupted(string owner, string request) => Prefix.Append("interrupted:" + owner + ":" + request);

    /// <summary>Counters: <c>added:{lane}</c>, <c>completed</c>; <c>capacity</c>, the fleet's measured pictures a second; <c>called</c>, since when a call for work is unanswered.</summary>
    public RedisKey Stats => Prefix.Append("stats");

    /// <summary>How long the pictures waited that were begun lately, a stream: one entry a take.</summary>
    public RedisKey Waits => Prefix.Append("waits");

    /// <summary>Jobs whose end is to be announced, a sorted set by the time until which a process keeps them.</summary>
    public RedisKey Webhooks => Prefix.Append("webhooks");

    /// <summary>The dead letters, a stream.</summary>
    public RedisKey Dead => Prefix.Append("dead");

    /// <summary>Heartbeats by worker.</summary>
    public RedisKey Fleet => Prefix.Append("fleet");

    /// <summary>When each worker was last heard of, a sorted set.</summary>
    public RedisKey Seen => Prefix.Append("fleet:seen");

    /// <summary>Exists while a worker is asked to drain.</summary>
    public RedisKey Drain(string worker) => Prefix.Append("fleet:drain:" + worker);

    /// <summary>The model's card.</summary>
    public RedisKey Model => Prefix.Append("fleet:model");

    /// <summary>The autoscaler's decisions, a list, newest first.</summary>
    public RedisKey Decisions => Prefix.Append("fleet:decisions");

    /// <summary>The channel that tells of changed jobs: <c>{id} {revision} {state}</c>, one job a line.</summary>
    public RedisChannel Events => RedisChannel.Literal($"muse:{{{model}}}:events");

    /// <summary>The channel that tells workers and the autoscaler: <c>work</c>, <c>handback</c>, <c>cancel {job}</c>, <c>drain {worker}</c>, <c>decision</c>.</summary>
    public RedisChannel Calls => RedisChannel.Literal($"muse:{{{model}}}:calls");

    /// <summary>The same names for the scripts, which get <see cref="Prefix"/> as their only key. Stands before each of them.</summary>
    public const string Lua = """
        local P = KEYS[1]
        local GROUP = 'workers'
        local STREAMS = { interactive = P .. 'stream:interactive', batch = P .. 'stream:batch' }
        local STATS, WAITS, WEBHOOKS, DEAD = P .. 'stats', P .. 'waits', P .. 'webhooks', P .. 'dead'
        -- Entries that were cancelled before they were begun and still lie in the stream, by their place.
        local CANCELLED_ENTRIES = { interactive = P .. 'cancelled:interactive', batch = P .. 'cancelled:batch' }
        local FLEET, SEEN, SPEEDS = P .. 'fleet', P .. 'fleet:seen', P .. 'fleet:speeds'
        local EVENTS, CALLS = P .. 'events', P .. 'calls'
        local function job_key(id) return P .. 'job:' .. id end
        local function pictures_key(id) return P .. 'job:' .. id .. ':pictures' end
        local function work_key(id) return P .. 'job:' .. id .. ':work' end
        local function owner_key(owner) return P .. 'owner:' .. owner end
        local function idempotency_key(owner, key) return P .. 'idempotency:' .. owner .. ':' .. key end

        """;
}
