using System.Globalization;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>The connection to Redis: keys, scripts, retries, and which errors are transient.</summary>
sealed class QueueConnection
{
    /// <summary>How long an upload is kept for the script that renames or deletes it. It follows at once.</summary>
    public static TimeSpan UploadKept { get; } = TimeSpan.FromMinutes(1);

    /// <summary>A cut connection is usually back after a few milliseconds. If Redis is down, more retries do not help.</summary>
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

    /// <summary>Raised when a connection was restored: published messages may have been missed.</summary>
    public event Action? Restored;

    /// <summary>How long an unfinished job is kept after its last change: longer than any job waits.</summary>
    public static long UnfinishedMilliseconds { get; } = (long)TimeSpan.FromDays(7).TotalMilliseconds;

    public long RetentionMilliseconds => (long)Options.Retention.TotalMilliseconds;

    /// <summary>
    /// Runs a script. Every script may be repeated with the same arguments, so a cut connection is retried for half a second.
    /// </summary>
    public Task<RedisResult> RunAsync(QueueScript script, CancellationToken cancellation, params RedisValue[] arguments) =>
        TryAsync(database => EvaluateAsync(database, script, arguments), cancellation);

    /// <summary>Runs a script once.</summary>
    public async Task<RedisResult> EvaluateAsync(IDatabase database, QueueScript script, RedisValue[] arguments)
    {
        try
        {
            return await database.ScriptEvaluateAsync(script.Hash, prefix, arguments);
        }
        catch (RedisServerException exception) when (exception.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            return await database.ScriptEvaluateAsync(script.Text, prefix, arguments); // Loads the script, too.
        }
    }

    /// <summary>Runs an operation that may be repeated.</summary>
    /// <exception cref="QueueUnavailableException">Redis can't be reached, does not answer, or can't do it now.</exception>
    public Task<T> TryAsync<T>(Func<IDatabase, Task<T>> operation, CancellationToken cancellation) =>
        RetryAsync(() => operation(Database), cancellation);

    /// <summary>The same for an operation that does not use <see cref="Database"/>.</summary>
    public async Task<T> RetryAsync<T>(Func<Task<T>> operation, CancellationToken cancellation)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await operation().WaitAsync(cancellation);
            }
            catch (RedisConnectionException) when (attempt < Retries.Length)
            {
                await Task.Delay(Retries[attempt], time, cancellation);
            }
            catch (Exception exception) when (IsTransient(exception))
            {
                throw Unavailable(FindRefusedUser(exception) ?? exception.Message, exception);
            }
        }
    }

    /// <summary>
    /// Runs a script right after a command that uploads bytes for it: an argument's bytes would be hashed and copied by Lua.
    /// </summary>
    /// <param name="upload">The command, which sets a key with the expiry <see cref="UploadKept"/>.</param>
    /// <param name="script">The script. Like the upload, it may be repeated.</param>
    /// <param name="arguments">The script's arguments.</param>
    public Task<RedisResult> RunAfterAsync(Func<IDatabase, Task> upload, QueueScript script, params RedisValue[] arguments) =>
        TryAsync(async database =>
        {
            // Redis runs the commands of a connection in their order, so the script need not wait for the reply to the upload.
            var uploading = upload(database);
            var running = EvaluateAsync(database, script, arguments);
            await Task.WhenAll(uploading, running);
            return await running;
        }, CancellationToken.None);

    /// <summary>Uploads a hash. It is a transaction, so that there is never one without an expiry.</summary>
    public static Task<bool> UploadAsync(IDatabase database, RedisKey key, HashEntry[] hash)
    {
        var transaction = database.CreateTransaction();
        _ = transaction.HashSetAsync(key, hash);
        _ = transaction.KeyExpireAsync(key, UploadKept);
        return transaction.ExecuteAsync();
    }

    /// <summary>Checks whether Redis supports and allows what Muse needs.</summary>
    /// <returns>A sentence for the operator where it does not; null where it does, or where Redis is unavailable.</returns>
    public async Task<string?> FindUnsupportedAsync()
    {
        try
        {
            await Database.ScriptEvaluateAsync(QueueScripts.Probe.Text, prefix, []);
            if (Options.WaitReplicas > 0)
                await Database.ExecuteAsync("WAIT", 0, 1);
            foreach (var channel in (RedisChannel[])[Keys.Events, Keys.Signals])
                await (await redis.GetSubscriber().SubscribeAsync(channel)).UnsubscribeAsync();
            return null;
        }
        catch (RedisServerException exception)
        {
            return RedisErrors.Explain(exception.Message);
        }
        catch (Exception exception) when (IsTransient(exception))
        {
            return FindRefusedUser(exception);
        }
    }

    /// <summary>A sentence if there is no connection because Redis refuses the user or the password; else null.</summary>
    /// <remarks>
    /// The exception of a command says only that there is no connection. One of its inner exceptions says why the last attempt to connect
    /// failed. For a wrong password that is NOAUTH, too: the reply to the first command after the handshake.
    /// </remarks>
    string? FindRefusedUser(Exception? exception) => exception switch
    {
        null => null,
        _ when !RedisErrors.IsUserRefused(exception.Message) => FindRefusedUser(exception.InnerException),
        _ when redis.Configuration.Contains("password=", StringComparison.OrdinalIgnoreCase) =>
            "Redis refuses the user or the password in ConnectionStrings:redis.",
        _ => "Redis requires a password, and ConnectionStrings:redis has none.",
    };

    /// <summary>Subscribes to a channel. The subscription survives reconnects.</summary>
    public Task<ChannelMessageQueue> SubscribeAsync(RedisChannel channel) =>
        RetryAsync(() => redis.GetSubscriber().SubscribeAsync(channel), CancellationToken.None);

    /// <summary>Whether the same operation may succeed later: Redis is unreachable, silent, loading, full or not the master.</summary>
    static bool IsTransient(Exception exception) => exception switch
    {
        RedisConnectionException or RedisTimeoutException or TimeoutException => true,
        RedisServerException { Message: var message } => RedisErrors.IsTransient(message),
        _ => false,
    };

    /// <summary>
    /// The exception for an error that a script returned for one of its items: Redis can't do it now, or stored data is damaged.
    /// </summary>
    public static Exception ToException(string reply) =>
        RedisErrors.IsTransient(reply) ? Unavailable(reply) : new InvalidDataException(reply);

    static QueueUnavailableException Unavailable(string error, Exception? exception = null) =>
        new($"Redis is unavailable: {RedisErrors.Explain(error) ?? error}", exception);

    /// <summary>A number in the format that Lua reads.</summary>
    public static RedisValue Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
