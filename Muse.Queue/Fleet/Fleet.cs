using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>
/// What Redis stores besides jobs: heartbeats, drain requests, the model card, the autoscaler's decisions, measurements.
/// </summary>
/// <remarks>Every method throws <see cref="QueueUnavailableException"/> while Redis is unavailable.</remarks>
public sealed class Fleet
{
    /// <summary>A worker without a heartbeat for this long is removed.</summary>
    internal static readonly TimeSpan HeartbeatTimeout = TimeSpan.FromSeconds(15);
    static readonly TimeSpan DrainRetention = TimeSpan.FromHours(1);
    static readonly TimeSpan CardRetention = TimeSpan.FromDays(1);
    static readonly TimeSpan DecisionsRetention = TimeSpan.FromDays(7);
    const int MaxDecisions = 1000;

    readonly QueueConnection connection;
    readonly QueueSignals.Subscription changes;

    internal Fleet(QueueConnection connection, QueueSignals signals)
    {
        this.connection = connection;
        changes = signals.Subscribe(static signal => signal is QueueSignals.Work or QueueSignals.HandBack or QueueSignals.Decision);
    }

    QueueKeys Keys => connection.Keys;

    /// <summary>Stores a worker's heartbeat. The worker is removed 15 s after its last one.</summary>
    public Task SendHeartbeatAsync(WorkerHeartbeat heartbeat, CancellationToken cancellation) =>
        connection.RunAsync(QueueScripts.Heartbeat, cancellation, heartbeat.Worker, QueueJson.Write(heartbeat),
            heartbeat.ImagesPerSecond is { } rate && double.IsFinite(rate) ? QueueConnection.Number(rate) : "");

    /// <summary>Removes a worker at once.</summary>
    public Task LeaveAsync(string worker, CancellationToken cancellation) =>
        connection.RunAsync(QueueScripts.Leave, cancellation, worker);

    /// <summary>The workers with a heartbeat in the last 15 s, oldest first.</summary>
    public Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation) =>
        connection.TryAsync<IReadOnlyList<WorkerHeartbeat>>(async database =>
        {
            var clock = database.ExecuteAsync("TIME");
            var seen = database.SortedSetRangeByRankWithScoresAsync(Keys.Seen);
            var heartbeats = database.HashGetAllAsync(Keys.Fleet);
            var since = Now(await clock) - HeartbeatTimeout.TotalMilliseconds;
            var alive = (await seen).Where(entry => entry.Score > since).Select(entry => entry.Element).ToHashSet();
            return [.. (await heartbeats)
                .Where(entry => alive.Contains(entry.Name))
                .Select(entry => QueueJson.ReadHeartbeat(entry.Value))
                .OfType<WorkerHeartbeat>()
                .OrderBy(worker => worker.StartedAt)];
        }, cancellation);

    static double Now(RedisResult clock) => (double)clock[0] * 1000 + (double)clock[1] / 1000;

    /// <summary>Asks a worker to drain: it takes no more work, hands its images back and waits to be stopped.</summary>
    public Task RequestDrainAsync(string worker, CancellationToken cancellation) =>
        connection.TryAsync(async database =>
        {
            await database.StringSetAsync(Keys.Drain(worker), "1", DrainRetention);
            return await database.PublishAsync(Keys.Signals, QueueSignals.Drain + worker);
        }, cancellation);

    /// <summary>Whether this worker was asked to drain.</summary>
    public Task<bool> IsDrainRequestedAsync(string worker, CancellationToken cancellation) =>
        connection.TryAsync(database => database.KeyExistsAsync(Keys.Drain(worker)), cancellation);

    /// <summary>Stores the model card. It expires after a day.</summary>
    public Task AnnounceModelAsync(ModelCard card, CancellationToken cancellation) =>
        connection.TryAsync(database => database.StringSetAsync(Keys.Model, QueueJson.Write(card), CardRetention), cancellation);

    /// <summary>Reads the model card; null while no worker has stored one.</summary>
    public Task<ModelCard?> FindModelCardAsync(CancellationToken cancellation) =>
        connection.TryAsync(async database => QueueJson.ReadCard(await database.StringGetAsync(Keys.Model)), cancellation);

    /// <summary>
    /// Takes the lease of the autoscalers' leader if nobody holds it, or renews it if <paramref name="holder"/> does.
    /// </summary>
    /// <param name="holder">The autoscaler's name, unique to its process.</param>
    /// <param name="lifetime">The lease ends after this time, unless it is renewed. At least 1 ms.</param>
    /// <param name="cancellation">Cancels the call.</param>
    /// <returns>The lease, or null if another one holds it.</returns>
    public async Task<LeaderLease?> LeadAsync(string holder, TimeSpan lifetime, CancellationToken cancellation)
    {
        var milliseconds = (long)Math.Max(1, lifetime.TotalMilliseconds);
        var epoch = (long)await connection.RunAsync(QueueScripts.Lead, cancellation, holder, milliseconds);
        return epoch > 0 ? new(holder, epoch) : null;
    }

    /// <summary>Gives up the leader's lease if <paramref name="holder"/> holds it. Another autoscaler may take it at once.</summary>
    public Task StopLeadingAsync(string holder, CancellationToken cancellation) =>
        connection.RunAsync(QueueScripts.Lead, cancellation, holder, 0);

    /// <summary>
    /// Stores a decision of the autoscalers' leader and signals it, unless the lease has ended since. The last 1,000 are kept, for
    /// seven days.
    /// </summary>
    /// <returns>Whether it was stored. False: another one may lead now, so the decision must not be acted on.</returns>
    public async Task<bool> StoreDecisionAsync(ScalingDecision decision, LeaderLease lease, CancellationToken cancellation) =>
        (int)await connection.RunAsync(QueueScripts.Decide, cancellation, lease.Value,
            QueueJson.Write(decision with { Epoch = lease.Epoch, Leader = lease.Holder }), MaxDecisions,
            (long)DecisionsRetention.TotalMilliseconds) == 1;

    /// <summary>The latest decision, or null.</summary>
    public async Task<ScalingDecision?> LatestDecisionAsync(CancellationToken cancellation) =>
        (await DecisionsAsync(1, cancellation)).FirstOrDefault();

    /// <summary>Past decisions, newest first.</summary>
    public Task<IReadOnlyList<ScalingDecision>> DecisionsAsync(int count, CancellationToken cancellation) =>
        connection.TryAsync<IReadOnlyList<ScalingDecision>>(async database =>
        {
            var decisions = await database.ListRangeAsync(Keys.Decisions, 0, count - 1);
            return [.. decisions.Select(QueueJson.ReadDecision).OfType<ScalingDecision>()];
        }, cancellation);

    /// <summary>Measures the queue in one round trip.</summary>
    public async Task<QueueMeasurement> MeasureAsync(CancellationToken cancellation)
    {
        var row = (long[])(await connection.RunAsync(QueueScripts.Measure, cancellation))!;
        return new QueueMeasurement(
            Waiting: row[0],
            Pending: row[1],
            OldestWaiting: row[2] < 0 ? null : TimeSpan.FromMilliseconds(row[2]),
            Arrivals: row[3],
            Ended: row[4],
            At: DateTimeOffset.FromUnixTimeMilliseconds(row[5]));
    }

    /// <summary>
    /// How long images had waited when any worker started them, oldest first: the last ten minutes, or about 4,096 reads.
    /// </summary>
    /// <param name="after">The <see cref="StartedImages.Id"/> after which to read, or null for all.</param>
    /// <param name="cancellation">Cancels the call.</param>
    public Task<IReadOnlyList<StartedImages>> StartedImagesAsync(string? after, CancellationToken cancellation) =>
        connection.TryAsync<IReadOnlyList<StartedImages>>(async database =>
            [.. (await database.StreamRangeAsync(Keys.Waits, after is null ? "-" : $"({after}")).Select(StartedImages.Read)], cancellation);

    /// <summary>Completes when work was added or a decision was stored, or after <paramref name="atMost"/>.</summary>
    public Task WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation) => changes.WaitAsync(atMost, cancellation);
}
