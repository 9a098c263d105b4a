using System.Globalization;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>The way to Redis: the keys, the scripts, and one place that tells "away" from "wrong".</summary>
sealed class QueueConnection
{
    /// <summary>A cut connection is back after a few milliseconds, mostly; a Redis that is away stays away longer than this.</summary>
    static readonly TimeSpan[] Retries = [TimeSpan.FromMilliseconds(40), TimeSpan.FromMilliseconds(120), TimeSpan.FromMilliseconds(350)];

    readonly IConnectionMultiplexer redis;
    readonly TimeProvider time;
    readonly RedisKey[] prefix;

    public QueueConnection(IConnectionMultiplexer redis, IOptions<QueueOptions> options, TimeProvider time)
    {
        (this.redis, Options, this.time) = (redis, options.Value, time);
        Keys = new QueueKeys(Options.Model);
        prefix = [Keys.Prefix];
        redis.ConnectionRestored += (_, _) => Restored?.Invoke();
    }

    public QueueOptions Options { get; }
    public QueueKeys Keys { get; }
    public TimeProvider Time => time;
    public IDatabase Database => redis.GetDatabase();

    /// <summary>A connection came back: messages may have been missed.</summary>
    public event Action? Restored;

    /// <summary>How long an unfinished job is kept after its last sign of life. So long that nothing vanishes while it waits.</summary>
    public static long UnfinishedMilliseconds { get; } = (long)TimeSpan.FromDays(7).TotalMilliseconds;

    public long RetentionMilliseconds => (long)Options.Retention.TotalMilliseconds;

    /// <summary>Runs a script. All scripts may be run twice with the same arguments, so a cut connection is tried again for half a second.</summary>
    public Task<RedisResult> RunAsync(QueueScript script, CancellationToken cancellation, params RedisValue[] arguments) =>
        TryAsync(async database =>
        {
            try
            {
                return await database.ScriptEvaluateAsync(script.Hash, prefix, arguments);
            }
            catch (RedisServerException problem) when (problem.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
            {
                return await database.ScriptEvaluateAsync(script.Text, prefix, arguments); // Which loads it.
            }
        }, cancellation);

    /// <summary>Does something that may be done twice.</summary>
    /// <exception cref="QueueUnavailableException">Redis can't be reached, does not answer, or can't do it now.</exception>
    public async Task<T> TryAsync<T>(Func<IDatabase, Task<T>> operation, CancellationToken cancellation)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await operation(Database).WaitAsync(cancellation);
            }
            catch (RedisConnectionException) when (attempt < Retries.Length)
            {
                await Task.Delay(Retries[attempt], time, cancellation);
            }
            catch (Exception problem) when (IsAway(problem))
            {
                throw new QueueUnavailableException($"Redis is away: {problem.Message}", problem);
            }
        }
    }

    /// <summary>Subscribes; the subscription survives reconnects.</summary>
    public async Task<ChannelMessageQueue> SubscribeAsync(RedisChannel channel)
    {
        try
        {
            return await redis.GetSubscriber().SubscribeAsync(channel);
        }
        catch (Exception problem) when (IsAway(problem))
        {
            throw new QueueUnavailableException($"Redis is away: {problem.Message}", problem);
        }
    }

    /// <summary>Whether Redis may do the same again later: it is not there, not answering, loading, full or not the master.</summary>
    static bool IsAway(Exception problem) => problem switch
    {
        RedisConnectionException or RedisTimeoutException or TimeoutException => true,
        RedisServerException { Message: var message } => IsAway(message),
        _ => false,
    };

    /// <summary>What a script says that one of its items failed with: Redis can't do it now, or what lies there is damaged.</summary>
    public static Exception Refusal(string reply) => IsAway(reply) ? new QueueUnavailableException($"Redis is away: {reply}") : new InvalidDataException(reply);

    static bool IsAway(string reply) => AwayReplies.Any(away => reply.StartsWith(away, StringComparison.Ordinal));

    static readonly string[] AwayReplies = ["LOADING", "OOM", "MISCONF", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "NOREPLICAS"];

    /// <summary>A number as Lua reads it.</summary>
    public static RedisValue Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
