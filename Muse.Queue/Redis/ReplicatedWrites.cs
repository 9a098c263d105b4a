using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Runs a script and waits until replicas have what it wrote (<c>WAIT</c>).</summary>
/// <remarks>
/// It has a connection of its own, because <c>WAIT</c> blocks its connection until the replicas have answered, and because it counts what
/// was written on the same connection.
/// </remarks>
sealed class ReplicatedWrites : IAsyncDisposable
{
    const string Wait = "WAIT";
    static readonly TimeSpan MarkKept = TimeSpan.FromMinutes(1);

    readonly QueueConnection connection;
    readonly Func<ConfigurationOptions> configuration;
    readonly Lock gate = new();
    Task<ConnectionMultiplexer>? connecting;

    public ReplicatedWrites(QueueConnection connection, Func<ConfigurationOptions> configuration) =>
        (this.connection, this.configuration) = (connection, configuration);

    /// <summary>The connection, made at its first use and again after an attempt that failed.</summary>
    Task<ConnectionMultiplexer> ConnectAsync()
    {
        lock (gate)
        {
            if (connecting is null or { IsFaulted: true } or { IsCanceled: true })
            {
                var own = configuration().Clone();
                own.AsyncTimeout += (int)connection.Options.WaitTimeout.TotalMilliseconds;
                connecting = ConnectionMultiplexer.ConnectAsync(own);
            }

            return connecting;
        }
    }

    /// <summary>Runs a script, which may be repeated, and waits for <see cref="QueueOptions.WaitReplicas"/>.</summary>
    /// <exception cref="ReplicationTimeoutException">The script has run, and not enough replicas have confirmed it in time.</exception>
    public Task<RedisResult> RunAsync(QueueScript script, params RedisValue[] arguments) => connection.RetryAsync(async () =>
    {
        while (true)
        {
            var database = (await ConnectAsync()).GetDatabase();
            var master = await database.IdentifyEndpointAsync(connection.Keys.Prefix, CommandFlags.DemandMaster)
                ?? throw new RedisConnectionException(
                    ConnectionFailureType.UnableToConnect, CommandFlags.None, "No master of Redis is known.");
            var server = database.Multiplexer.GetServer(master);
            var sockets = server.GetCounters().Interactive.SocketCount;
            var reply = await connection.EvaluateAsync(database, script, arguments);
            // A repeated script may write nothing, and a new connection waits for nothing that was written on the one before.
            var marking = database.StringSetAsync(connection.Keys.Replication, 1, MarkKept);
            var waiting = server.ExecuteAsync(
                Wait, connection.Options.WaitReplicas, (long)connection.Options.WaitTimeout.TotalMilliseconds);
            await marking;
            var replicas = (int)await waiting;
            // If the connection was replaced or another master took over, the reply may not be about this script's writes.
            var isSame = server.GetCounters().Interactive.SocketCount == sockets
                && master.Equals(await database.IdentifyEndpointAsync(connection.Keys.Prefix, CommandFlags.DemandMaster));
            if (!isSame)
                continue;
            return replicas >= connection.Options.WaitReplicas ? reply : throw new ReplicationTimeoutException(
                $"{replicas} of {connection.Options.WaitReplicas} replicas of Redis have confirmed a submission within "
                + $"{connection.Options.WaitTimeout.TotalSeconds:0.###} s.");
        }
    }, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        if (connecting is { IsCompletedSuccessfully: true } connected)
            await (await connected).DisposeAsync();
    }
}
