using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>The API's side of the queue: submit, wait, look up, cancel.</summary>
/// <remarks>
/// Every method throws <see cref="QueueUnavailableException"/> while Redis is unavailable. Methods that wait throw it only at their
/// start; later they wait until Redis is back.
/// </remarks>
public sealed class JobQueue
{
    /// <summary>Jobs in a caller's list at most.</summary>
    const int MaxListed = 1000;

    /// <summary>Jobs in one call at most. Beyond this, sharing a call gains nothing.</summary>
    const int MaxSubmittedTogether = 32;

    /// <summary>Longer than the longest life of a link, 7 days.</summary>
    static readonly TimeSpan LinkSecretKept = TimeSpan.FromDays(30);

    readonly QueueConnection connection;
    readonly ObjectStore objects;
    readonly ReplicatedWrites replicated;
    readonly JobEvents events;
    readonly GroupCommit<RedisValue[], RedisResult> submissions;

    internal JobQueue(QueueConnection connection, ObjectStore objects, ReplicatedWrites replicated, JobEvents events)
    {
        (this.connection, this.objects, this.replicated, this.events) = (connection, objects, replicated, events);
        submissions = new(SubmitTogetherAsync, MaxSubmittedTogether);
    }

    QueueKeys Keys => connection.Keys;
    QueueOptions Options => connection.Options;

    /// <summary>
    /// Accepts a job atomically: its hash, one stream entry per image and a signal. Submitting the same <see cref="ImageJob.Id"/> again
    /// changes nothing.
    /// </summary>
    /// <param name="job">The job.</param>
    /// <param name="idempotency">Identifies repeated requests, or null.</param>
    /// <param name="cancellation">Stops waiting for the response. The job may have been accepted.</param>
    /// <exception cref="ReplicationTimeoutException">The job was accepted, and not enough replicas have confirmed it.</exception>
    public Task<SubmitOutcome> SubmitAsync(ImageJob job, IdempotencyToken? idempotency, CancellationToken cancellation) =>
        SubmitAsync(job, null, idempotency, cancellation);

    /// <summary>The same for a job with <see cref="ImageJob.Input"/>, whose pixels are stored with it.</summary>
    public async Task<SubmitOutcome> SubmitAsync(
        ImageJob job, InputPixels? input, IdempotencyToken? idempotency, CancellationToken cancellation)
    {
        if (job.Input is null != input is null)
            throw new ArgumentException("A job with an input image needs its pixels, and one without must have none.", nameof(input));
        using var activity = QueueTelemetry.Source.StartActivity("enqueue", ActivityKind.Producer);
        activity?.SetTag("muse.job", job.Id).SetTag("muse.pictures", job.Count).SetTag("muse.priority", QueueKeys.Lane(job.Priority));
        if ((activity ?? Activity.Current)?.Id is { } traceParent)
            job = job with { TraceParent = traceParent };
        if (QueueJson.FindError(job) is { } error)
            throw new ArgumentException(error, nameof(job));
        var json = QueueJson.Write(job);
        if (json.Length > QueueJson.MaxJobBytes)
            throw new ArgumentException($"The job has {json.Length} bytes; at most {QueueJson.MaxJobBytes} are allowed.", nameof(job));

        // Subscribe before the job can end, so that a waiter need not read its state first.
        await events.StartAsync(cancellation);
        var stored = await StoreInputAsync(job, input, cancellation);
        RedisValue[] arguments =
        [
            job.Id, json, job.Owner, job.Count, QueueKeys.Lane(job.Priority),
            job.BeginWithin is { } limit ? (long)limit.TotalMilliseconds : RedisValue.EmptyString,
            idempotency?.Key ?? "",
            idempotency?.RequestHash ?? "",
            (long)(idempotency?.Window ?? TimeSpan.FromMilliseconds(1)).TotalMilliseconds,
            job.Webhook is null ? RedisValue.EmptyString : (long)Options.WebhookLease.TotalMilliseconds,
            input is not null && stored is null ? 1 : RedisValue.EmptyString,
            stored?.ToString() ?? RedisValue.EmptyString,
        ];
        if (input is not null && stored is null)
        {
            await connection.TryAsync(database => QueueConnection.UploadAsync(
                database, Keys.InputUpload(job.Id), [new("image", input.Image), new("mask", input.Mask)]), cancellation);
        }

        var reply = (RedisResult[])(await submissions.AddAsync(arguments).WaitAsync(cancellation))!;
        var outcome = (string)reply[0]!;
        if (stored is { } unused && !(outcome == SubmitReply.Accepted || outcome == SubmitReply.Error))
            await objects.TryDeleteAsync(unused.Object.Key);
        if (outcome == SubmitReply.Error)
            throw QueueConnection.ToException((string)reply[1]!);
        activity?.SetTag("muse.outcome", outcome);
        QueueTelemetry.Submitted.Add(1, new KeyValuePair<string, object?>("outcome", outcome));
        return outcome switch
        {
            SubmitReply.Accepted => new SubmitOutcome.Accepted((string)reply[1]!),
            SubmitReply.Duplicate => new SubmitOutcome.Duplicate((string)reply[1]!),
            SubmitReply.KeyReused => new SubmitOutcome.KeyReused((string)reply[1]!),
            _ => new SubmitOutcome.QueueFull(AtLeastASecond((double)reply[1]), TimeSpan.FromMilliseconds(Math.Max(0, (double)reply[2]))),
        };
    }

    /// <summary>Stores a job's input in the object store.</summary>
    /// <returns>The pointer to it; null if there is no input or no store.</returns>
    async Task<StoredInput?> StoreInputAsync(ImageJob job, InputPixels? input, CancellationToken cancellation) =>
        input is null || !objects.Enabled ? null
            : new StoredInput(input.Image.Length,
                await objects.WriteInputAsync(objects.NewInputKey(job.Id), StoredInput.Join(input), cancellation));

    async Task<IReadOnlyList<RedisResult>> SubmitTogetherAsync(IReadOnlyList<RedisValue[]> jobs)
    {
        RedisValue[] arguments =
        [
            QueueConnection.UnfinishedMilliseconds, (long)Options.MaxWait.TotalMilliseconds, Options.MaxLength, MaxListed,
            .. jobs.SelectMany(job => job),
        ];
        return (RedisResult[])(Options.WaitReplicas > 0
            ? await replicated.RunAsync(QueueScripts.Submit, arguments)
            : await connection.RunAsync(QueueScripts.Submit, CancellationToken.None, arguments))!;
    }

    static TimeSpan AtLeastASecond(double milliseconds) => TimeSpan.FromSeconds(Math.Max(1, Math.Ceiling(milliseconds / 1000)));

    /// <summary>Reads a job, or null if it does not exist or has expired.</summary>
    public Task<JobSnapshot?> FindAsync(string jobId, CancellationToken cancellation) =>
        connection.TryAsync(async database => JobHash.Read(await database.HashGetAllAsync(Keys.Job(jobId))), cancellation);

    /// <summary>Reads the state and the images of a known job: from Redis in one round trip, from the object store all at once.</summary>
    async Task<FinishedJob?> FindWithImagesAsync(ImageJob job, CancellationToken cancellation)
    {
        var (snapshot, info, bytes) = await connection.TryAsync(async database =>
        {
            var fields = database.HashGetAsync(Keys.Job(job.Id), JobHash.Fields(job));
            var (infos, bytes) = (new Task<RedisValue>[job.Count], new Task<Lease<byte>?>[job.Count]);
            for (var i = 0; i < job.Count; i++)
            {
                var key = Keys.Image(job.Id, i);
                (infos[i], bytes[i]) = (database.HashGetAsync(key, JobHash.ImageInfo), database.HashGetLeaseAsync(key, JobHash.ImageBytes));
            }

            return (JobHash.Read(job, await fields), await Task.WhenAll(infos), await Task.WhenAll(bytes));
        }, cancellation);
        if (snapshot is null)
            return null;
        return new FinishedJob(snapshot, await Task.WhenAll(bytes.Select((image, i) => ReadImageAsync(image, info[i], cancellation))));
    }

    /// <summary>An image from what Redis has of it, with its bytes from the object store if they are there.</summary>
    /// <returns>Null if it is not stored.</returns>
    async Task<StoredImage?> ReadImageAsync(Lease<byte>? bytes, RedisValue info, CancellationToken cancellation)
    {
        if (JobHash.Image(bytes, info) is not { } image)
            return null;
        if (JobHash.Object(info) is not { } stored)
            return bytes is null ? null : image;
        return await objects.ReadAsync(stored, cancellation) is { } found
            ? image with { Bytes = found.Memory[..stored.Length], Buffer = found }
            : null;
    }

    /// <summary>Waits until the job is final. One subscription per process serves all waiters.</summary>
    /// <returns>The final snapshot, or null if there is no such job.</returns>
    public async Task<JobSnapshot?> WaitAsync(string jobId, CancellationToken cancellation)
    {
        using var listener = await events.ListenAsync(jobId, finalOnly: true, cancellation);
        var first = await FindAsync(jobId, cancellation);
        if (first is null || first.State.IsFinal())
            return first;
        return await ReadWhenFinalAsync(listener, () => FindAsync(jobId, cancellation), job => job.State, cancellation);
    }

    /// <summary>Like <see cref="WaitAsync"/>, with the images. Their memory is pooled.</summary>
    /// <returns>The final job and its images, or null if there is no such job.</returns>
    public async Task<FinishedJob?> WaitWithImagesAsync(string jobId, CancellationToken cancellation)
    {
        using var listener = await events.ListenAsync(jobId, finalOnly: true, cancellation);
        if (await FindAsync(jobId, cancellation) is not { } first)
            return null;
        if (first.State.IsFinal())
            return await FindWithImagesAsync(first.Job, cancellation);
        return await WaitWithImagesAsync(listener, first.Job, cancellation);
    }

    /// <summary>
    /// The same for a job that <see cref="SubmitAsync(ImageJob, IdempotencyToken?, CancellationToken)"/> has just accepted in this process.
    /// It saves reading the job first and its request back.
    /// </summary>
    public async Task<FinishedJob?> WaitWithImagesAsync(ImageJob accepted, CancellationToken cancellation)
    {
        using var listener = await events.ListenAsync(accepted.Id, finalOnly: true, cancellation);
        return await WaitWithImagesAsync(listener, accepted, cancellation);
    }

    Task<FinishedJob?> WaitWithImagesAsync(JobListener listener, ImageJob job, CancellationToken cancellation) =>
        ReadWhenFinalAsync(listener, () => FindWithImagesAsync(job, cancellation), finished => finished.Job.State, cancellation);

    /// <summary>Reads the job after each change until it is final.</summary>
    async Task<T?> ReadWhenFinalAsync<T>(
        JobListener listener, Func<Task<T?>> read, Func<T, JobState> state, CancellationToken cancellation) where T : class
    {
        while (true)
        {
            var job = await ReadAfterChangeAsync(listener, read, cancellation);
            if (job is null || state(job).IsFinal())
                return job;
        }
    }

    /// <summary>Waits for the next change and reads the job.</summary>
    async Task<T?> ReadAfterChangeAsync<T>(JobListener listener, Func<Task<T?>> read, CancellationToken cancellation) where T : class
    {
        await listener.ChangedAsync(cancellation);
        return await ReadWhenAvailableAsync(read, cancellation);
    }

    /// <summary>Reads. If Redis or the object store is unavailable, it waits until they are back.</summary>
    async Task<T> ReadWhenAvailableAsync<T>(Func<Task<T>> read, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return await read();
            }
            catch (QueueUnavailableException)
            {
                await Task.Delay(Options.SafetyPoll, connection.Time, cancellation);
            }
        }
    }

    /// <summary>
    /// Yields the job now (unless its revision is <paramref name="afterRevision"/>) and after each change, up to the final state. Changes
    /// in quick succession may be combined.
    /// </summary>
    public async IAsyncEnumerable<JobSnapshot> WatchAsync(
        string jobId, long afterRevision, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var listener = await events.ListenAsync(jobId, finalOnly: false, cancellation);
        var job = await FindAsync(jobId, cancellation);
        while (job is not null)
        {
            if (job.Revision != afterRevision)
            {
                afterRevision = job.Revision;
                yield return job;
            }
            if (job.State.IsFinal())
                yield break;
            job = await ReadAfterChangeAsync(listener, () => FindAsync(jobId, cancellation), cancellation);
        }
    }

    /// <summary>A finished image's bytes, or null. Their memory is pooled.</summary>
    /// <exception cref="ObjectStoreUnavailableException">The bytes are in the object store, which is unavailable.</exception>
    public Task<StoredImage?> FindImageAsync(string jobId, int index, CancellationToken cancellation) =>
        FindBytesAsync(Keys.Image(jobId, index), JobHash.ImageBytes, JobHash.ImageInfo, cancellation);

    /// <summary>The same. While Redis or the object store is unavailable, it waits: for a response that has begun.</summary>
    public Task<StoredImage?> FindImageWhenAvailableAsync(string jobId, int index, CancellationToken cancellation) =>
        ReadWhenAvailableAsync(() => FindImageAsync(jobId, index, cancellation), cancellation);

    /// <summary>
    /// An address at which a client gets a finished image from the object store without credentials; null if its bytes are in Redis, or if
    /// <see cref="ObjectStoreOptions.RedirectLinks"/> is off.
    /// </summary>
    /// <param name="jobId">The job.</param>
    /// <param name="index">The image's index in the job.</param>
    /// <param name="lifetime">How long the address works.</param>
    /// <param name="cancellation">Cancels the call.</param>
    public async Task<Uri?> FindStoreAddressAsync(string jobId, int index, TimeSpan lifetime, CancellationToken cancellation)
    {
        if (!objects.Options.RedirectLinks || !objects.Enabled)
            return null;
        var info = await connection.TryAsync(
            database => database.HashGetAsync(Keys.Image(jobId, index), JobHash.ImageInfo), cancellation);
        return JobHash.Object(info) is { } stored ? await objects.PresignAsync(stored, lifetime, cancellation) : null;
    }

    /// <summary>The latest preview of an image, or null. Previews are kept for a minute after the end of their job.</summary>
    public Task<StoredImage?> FindPreviewAsync(string jobId, int index, CancellationToken cancellation) =>
        FindBytesAsync(Keys.Work(jobId), $"{index}:preview", $"{index}:info", cancellation);

    async Task<StoredImage?> FindBytesAsync(RedisKey key, RedisValue bytesField, RedisValue infoField, CancellationToken cancellation)
    {
        var (bytes, info) = await connection.TryAsync(async database =>
        {
            var (bytes, info) = (database.HashGetLeaseAsync(key, bytesField), database.HashGetAsync(key, infoField));
            return (await bytes, await info);
        }, cancellation);
        return await ReadImageAsync(bytes, info, cancellation);
    }

    /// <summary>
    /// Cancels the images that are not final. Waiting ones are never started, running ones leave the batch at the next step.
    /// </summary>
    /// <returns>The job afterwards, or null if there is none.</returns>
    public async Task<JobSnapshot?> CancelAsync(string jobId, CancellationToken cancellation)
    {
        await connection.RunAsync(QueueScripts.Cancel, cancellation,
            connection.RetentionMilliseconds, jobId, QueueConnection.UnfinishedMilliseconds);
        return await FindAsync(jobId, cancellation);
    }

    /// <summary>A secret that all processes of this model share. The first caller creates it.</summary>
    /// <param name="fresh">The secret, if there is none yet.</param>
    /// <param name="cancellation">Cancels the call.</param>
    public Task<byte[]> LinkSecretAsync(byte[] fresh, CancellationToken cancellation) =>
        connection.TryAsync(async database =>
        {
            await database.StringSetAsync(Keys.LinkSecret, fresh, LinkSecretKept, When.NotExists);
            await database.KeyExpireAsync(Keys.LinkSecret, LinkSecretKept);
            return (byte[])(await database.StringGetAsync(Keys.LinkSecret))!;
        }, cancellation);

    /// <summary>Counts images against a limit that all processes share.</summary>
    /// <param name="owner">The caller.</param>
    /// <param name="images">How many images.</param>
    /// <param name="limit">Images that are allowed in a window. A single request may exceed it, if it is the first in its window.</param>
    /// <param name="window">The length of the window.</param>
    /// <param name="cancellation">Cancels the call.</param>
    /// <returns>Null if the images are allowed; else the time until the next window begins.</returns>
    public async Task<TimeSpan?> CountAgainstLimitAsync(
        string owner, int images, int limit, TimeSpan window, CancellationToken cancellation)
    {
        var untilNextWindow = (long)await connection.RunAsync(
            QueueScripts.RateLimit, cancellation, owner, images, limit, (long)window.TotalMilliseconds);
        return untilNextWindow < 0 ? null : TimeSpan.FromMilliseconds(untilNextWindow);
    }

    /// <summary>Keeps a job whose response did not reach its client, for the client's retry.</summary>
    /// <param name="owner">The caller.</param>
    /// <param name="request">A hash of the request.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="window">How long it is kept.</param>
    /// <param name="cancellation">Cancels the call.</param>
    public Task KeepInterruptedAsync(string owner, string request, string jobId, TimeSpan window, CancellationToken cancellation) =>
        connection.TryAsync(database =>
        {
            var transaction = database.CreateTransaction();
            _ = transaction.ListRightPushAsync(Keys.Interrupted(owner, request), jobId);
            _ = transaction.KeyExpireAsync(Keys.Interrupted(owner, request), window);
            return transaction.ExecuteAsync();
        }, cancellation);

    /// <summary>Takes the oldest job that is kept for a retry of this request, or null. No other retry gets the same job.</summary>
    public Task<string?> ClaimInterruptedAsync(string owner, string request, CancellationToken cancellation) =>
        connection.TryAsync(async database => (string?)await database.ListLeftPopAsync(Keys.Interrupted(owner, request)), cancellation);

    /// <summary>Forgets a job that was kept for a retry.</summary>
    /// <returns>Whether it was still there: no retry has claimed it.</returns>
    public Task<bool> ForgetInterruptedAsync(string owner, string request, string jobId, CancellationToken cancellation) =>
        connection.TryAsync(async database => await database.ListRemoveAsync(Keys.Interrupted(owner, request), jobId) > 0, cancellation);

    /// <summary>A caller's jobs, newest first; at most its latest 1,000.</summary>
    /// <param name="owner">The caller.</param>
    /// <param name="cursor">The <see cref="JobPage.NextCursor"/> of the page before, or null for the first page.</param>
    /// <param name="limit">Jobs on the page at most, 1 to 100.</param>
    /// <param name="cancellation">Cancels the call.</param>
    public Task<JobPage> ListAsync(string owner, string? cursor, int limit, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        return connection.TryAsync(async database =>
        {
            var jobs = new List<JobSnapshot>();
            while (true)
            {
                // Below the cursor, or from the end. Every name begins with a digit, which sorts before the colon.
                var names = await database.SortedSetRangeByValueAsync(
                    Keys.Owner(owner), "", cursor ?? ":", Exclude.Stop, Order.Descending, 0, limit - jobs.Count);
                var hashes = await Task.WhenAll(names.Select(name => database.HashGetAllAsync(Keys.Job(IdOf(name)))));
                for (var i = 0; i < names.Length; i++)
                {
                    if (JobHash.Read(hashes[i]) is { } job)
                    {
                        jobs.Add(job);
                        continue;
                    }

                    // The job has expired.
                    _ = database.SortedSetRemoveAsync(Keys.Owner(owner), names[i], CommandFlags.FireAndForget);
                }

                if (names.Length == 0)
                    return new JobPage(jobs, null);
                cursor = names[^1];
                if (jobs.Count >= limit)
                    return new JobPage(jobs, cursor);
            }
        }, cancellation);

        static string IdOf(RedisValue name) =>
            name.ToString() is var text && text.IndexOf('-') is > 0 and var dash ? text[(dash + 1)..] : text;
    }

    /// <summary>
    /// The number of images ahead of the job's first waiting image and their estimated time; null if none of its images waits.
    /// </summary>
    public async Task<QueuePosition?> PositionAsync(string jobId, CancellationToken cancellation)
    {
        var reply = await connection.RunAsync(QueueScripts.Position, cancellation, jobId);
        if (reply.IsNull)
            return null;
        var (ahead, capacity) = ((long)reply[0], (string?)reply[1]);
        var isMeasured = double.TryParse(capacity, CultureInfo.InvariantCulture, out var rate) && rate > 0;
        return new QueuePosition(ahead, isMeasured ? TimeSpan.FromSeconds(ahead / rate) : null);
    }
}
