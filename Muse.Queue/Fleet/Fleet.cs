using System.Globalization;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>What the parts of the system tell each other beside the work itself: heartbeats, the model's card, the wanted number of workers.</summary>
/// <remarks>Every method throws <see cref="QueueUnavailableException"/> while Redis can't be reached.</remarks>
public sealed class Fleet
{
    /// <summary>A worker is forgotten this long after its last heartbeat.</summary>
    static readonly TimeSpan Silence = TimeSpan.FromSeconds(15);
    static readonly TimeSpan DrainRemembered = TimeSpan.FromHours(1);
    static readonly TimeSpan CardRemembered = TimeSpan.FromDays(1);
    static readonly TimeSpan DecisionsRemembered = TimeSpan.FromDays(7);
    const int DecisionsKept = 1000;

    readonly QueueConnection connection;
    readonly QueueCalls calls;
    readonly QueueCalls.Ear ear;

    internal Fleet(QueueConnection connection, QueueCalls calls)
    {
        (this.connection, this.calls) = (connection, calls);
        ear = calls.Listen(static call => call is "work" or "handback" or "decision");
    }

    QueueKeys Keys => connection.Keys;

    /// <summary>Announces a worker; forgotten 15 s after its last heartbeat.</summary>
    public Task BeatAsync(WorkerHeartbeat heartbeat, CancellationToken cancellation) =>
        connection.RunAsync(QueueScripts.Beat, cancellation, heartbeat.Worker, QueueJson.Write(heartbeat),
            heartbeat.PicturesPerSecond is { } rate && double.IsFinite(rate) ? QueueConnection.Number(rate) : "", (long)Silence.TotalMilliseconds);

    /// <summary>Takes a worker off the list at once.</summary>
    public Task LeaveAsync(string worker, CancellationToken cancellation) => connection.RunAsync(QueueScripts.Leave, cancellation, worker);

    /// <summary>The workers heard of in the last 15 s.</summary>
    public Task<IReadOnlyList<WorkerHeartbeat>> WorkersAsync(CancellationToken cancellation) =>
        connection.TryAsync<IReadOnlyList<WorkerHeartbeat>>(async database =>
        {
            var (clock, seen, beats) = (database.ExecuteAsync("TIME"), database.SortedSetRangeByRankWithScoresAsync(Keys.Seen), database.HashGetAllAsync(Keys.Fleet));
            var since = Now(await clock) - Silence.TotalMilliseconds;
            var alive = (await seen).Where(entry => entry.Score > since).Select(entry => entry.Element).ToHashSet();
            return [.. (await beats).Where(entry => alive.Contains(entry.Name)).Select(entry => QueueJson.ReadHeartbeat(entry.Value)).OfType<WorkerHeartbeat>().OrderBy(worker => worker.StartedAt)];
        }, cancellation);

    static double Now(RedisResult clock) => (double)clock[0] * 1000 + (double)clock[1] / 1000;

    /// <summary>Asks a worker to drain: it stops reading, hands its work back and waits to be stopped.</summary>
    public Task RequestDrainAsync(string worker, CancellationToken cancellation) =>
        connection.TryAsync(async database =>
        {
            await database.StringSetAsync(Keys.Drain(worker), "1", DrainRemembered);
            return await database.PublishAsync(Keys.Calls, $"drain {worker}");
        }, cancellation);

    /// <summary>Whether this worker was asked to drain.</summary>
    public Task<bool> IsDrainRequestedAsync(string worker, CancellationToken cancellation) =>
        connection.TryAsync(database => database.KeyExistsAsync(Keys.Drain(worker)), cancellation);

    /// <summary>Announces what the model can do; forgotten after a day without.</summary>
    public Task AnnounceModelAsync(ModelCard card, CancellationToken cancellation) =>
        connection.TryAsync(database => database.StringSetAsync(Keys.Model, QueueJson.Write(card), CardRemembered), cancellation);

    /// <summary>What the model can do, or null while no worker has said so.</summary>
    public Task<ModelCard?> ModelAsync(CancellationToken cancellation) =>
        connection.TryAsync(async database => QueueJson.ReadCard(await database.StringGetAsync(Keys.Model)), cancellation);

    /// <summary>Writes the autoscaler's decision: the latest, and into the history (the last 1,000, for seven days).</summary>
    public Task DecideAsync(ScalingDecision decision, CancellationToken cancellation) =>
        connection.TryAsync(async database =>
        {
            var transaction = database.CreateTransaction();
            _ = transaction.ListLeftPushAsync(Keys.Decisions, QueueJson.Write(decision));
            _ = transaction.ListTrimAsync(Keys.Decisions, 0, DecisionsKept - 1);
            _ = transaction.KeyExpireAsync(Keys.Decisions, DecisionsRemembered);
            _ = transaction.PublishAsync(Keys.Calls, "decision");
            return await transaction.ExecuteAsync();
        }, cancellation);

    /// <summary>The latest decision, or null.</summary>
    public async Task<ScalingDecision?> DecisionAsync(CancellationToken cancellation) => (await DecisionsAsync(1, cancellation)).FirstOrDefault();

    /// <summary>Past decisions, newest first.</summary>
    public Task<IReadOnlyList<ScalingDecision>> DecisionsAsync(int count, CancellationToken cancellation) =>
        connection.TryAsync<IReadOnlyList<ScalingDecision>>(async database =>
            [.. (await database.ListRangeAsync(Keys.Decisions, 0, count - 1)).Select(QueueJson.ReadDecision).OfType<ScalingDecision>()], cancellation);

    /// <summary>What waits, what is pending and the rates, in one round trip.</summary>
    public async Task<QueueMeasurement> MeasureAsync(CancellationToken cancellation)
    {
        var row = (long[])(await connection.RunAsync(QueueScripts.Measure, cancellation))!;
        return new QueueMeasurement(row[0], row[1], row[2] < 0 ? null : TimeSpan.FromMilliseconds(row[2]), row[3], row[4], DateTimeOffset.FromUnixTimeMilliseconds(row[5]));
    }

    /// <summary>How long pictures had waited when they were begun, by any worker, oldest first: the last ten minutes, or some 4,096 takes.</summary>
    /// <param name="after">The <see cref="BegunPictures.Id"/> after which to read, or null for all.</param>
    /// <param name="cancellation">Gives up.</param>
    public Task<IReadOnlyList<BegunPictures>> BegunAsync(string? after, CancellationToken cancellation) =>
        connection.TryAsync<IReadOnlyList<BegunPictures>>(async database =>
            [.. (await database.StreamRangeAsync(Keys.Waits, after is null ? "-" : $"({after}")).Select(BegunPictures.Read)], cancellation);

    /// <summary>Completes when work was added to the queue or a decision was written, or after <paramref name="atMost"/>.</summary>
    public Task WaitForChangeAsync(TimeSpan atMost, CancellationToken cancellation) => ear.WaitAsync(atMost, cancellation);
}

/// <summary>How many workers there should be, and why.</summary>
/// <param name="Workers">Workers wanted.</param>
/// <param name="Reason">A sentence with the numbers in it.</param>
/// <param name="At">When it was decided.</param>
/// <param name="Policy">The policy's name.</param>
/// <param name="Measured">What it was decided on.</param>
public sealed record ScalingDecision(int Workers, string Reason, DateTimeOffset At, string Policy, QueueMeasurement Measured);

/// <summary>Pictures that a worker took at once.</summary>
/// <param name="Id">Grows with time.</param>
/// <param name="At">When, by Redis' clock.</param>
/// <param name="Waited">How long each of them had waited since its job was accepted.</param>
public sealed record BegunPictures(string Id, DateTimeOffset At, IReadOnlyList<TimeSpan> Waited)
{
    /// <summary>Reads an entry; what is damaged in it is as good as not there.</summary>
    internal static BegunPictures Read(StreamEntry entry)
    {
        var id = entry.Id.ToString();
        return new(id, DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(id.AsSpan(0, id.IndexOf('-')), CultureInfo.InvariantCulture)),
            [.. entry["milliseconds"].ToString().Split(' ').Select(text => double.TryParse(text, CultureInfo.InvariantCulture, out var waited) && waited is >= 0 and < 1e12 ? waited : (double?)null)
                .OfType<double>().Select(TimeSpan.FromMilliseconds)]);
    }
}

/// <summary>The queue in numbers.</summary>
/// <param name="Waiting">Entries neither delivered nor cancelled yet: the streams' lengths less what is pending and what was cancelled while it waited.</param>
/// <param name="Pending">Entries delivered and not finished.</param>
/// <param name="OldestWaiting">How long the oldest undelivered entry has waited; null when none waits.</param>
/// <param name="Arrivals">Pictures ever added.</param>
/// <param name="Completed">Pictures ever ended, in any way.</param>
/// <param name="At">When it was measured, by Redis' clock.</param>
public sealed record QueueMeasurement(long Waiting, long Pending, TimeSpan? OldestWaiting, long Arrivals, long Completed, DateTimeOffset At);
