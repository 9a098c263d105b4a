using System.Globalization;

namespace Muse.Queue;

/// <summary>
/// Deletes objects that no job needs: those of jobs that have expired, inputs of jobs that have ended, and images that were stored by a
/// worker that died before Redis knew of them, or that another worker had completed before.
/// </summary>
/// <remarks>Methods throw <see cref="QueueUnavailableException"/> while Redis or the store is unavailable. The next turn goes on.</remarks>
public sealed class ObjectSweep
{
    /// <summary>Objects that are deleted at the same time.</summary>
    const int Parallelism = 16;

    readonly QueueConnection connection;
    readonly ObjectStore objects;

    internal ObjectSweep(QueueConnection connection, ObjectStore objects) => (this.connection, this.objects) = (connection, objects);

    /// <summary>Whether there is an object store.</summary>
    public bool Enabled => objects.Enabled;

    /// <summary>The time between two turns.</summary>
    public TimeSpan Interval => objects.Options.SweepInterval;

    /// <summary>Takes the next turn if no other process has taken it, and deletes what no job needs.</summary>
    /// <returns>The number of deleted objects; null if it is another process's turn.</returns>
    public async Task<int?> TryRunAsync(CancellationToken cancellation)
    {
        // The key expires before the next turn of the process that took it.
        var taken = await connection.TryAsync(database => database.StringSetAsync(
            connection.Keys.Sweep, Environment.MachineName, Interval * 0.9, StackExchange.Redis.When.NotExists), cancellation);
        return taken ? await RunAsync(cancellation) : null;
    }

    /// <summary>Deletes what no job needs.</summary>
    /// <returns>The number of deleted objects.</returns>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        var deleted = 0;
        await foreach (var page in objects.ListAsync(cancellation))
        {
            // A younger object may be one that Redis does not know yet.
            List<string> old = [.. page.Where(each => each.Age > objects.Options.OrphanAge).Select(each => each.Key)];
            var needed = await Task.WhenAll(old.Select(key => IsNeededAsync(key, cancellation)));
            var orphans = old.Where((_, i) => !needed[i]).ToList();
            await Parallel.ForEachAsync(orphans, new ParallelOptions
            {
                MaxDegreeOfParallelism = Parallelism,
                CancellationToken = cancellation,
            }, async (key, stop) => await objects.DeleteAsync(key, stop));
            deleted += orphans.Count;
        }

        return deleted;
    }

    Task<bool> IsNeededAsync(string key, CancellationToken cancellation) => objects.ParseKey(key) switch
    {
        (ObjectStore.Images, var jobId, var name)
            when int.TryParse(name.Split('-')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var index) =>
            IsImageNeededAsync(key, jobId, index, cancellation),
        (ObjectStore.Inputs, var jobId, _) => IsInputNeededAsync(key, jobId, cancellation),
        ("probe", _, _) => Task.FromResult(false),
        _ => Task.FromResult(true), // Not Muse's.
    };

    Task<bool> IsImageNeededAsync(string key, string jobId, int index, CancellationToken cancellation) =>
        connection.TryAsync(async database =>
        {
            // The state first: it is final only after the pointer was stored.
            var state = database.HashGetAsync(connection.Keys.Job(jobId), $"{index}:state");
            var info = database.HashGetAsync(connection.Keys.Image(jobId, index), JobHash.ImageInfo);
            var ended = JobHash.State(await state);
            if (JobHash.Object(await info)?.Key == key)
                return true;
            // A worker may hold the object of an image that has not ended, until Redis is back. A failed image may be requeued.
            return ended is not null and not JobState.Succeeded;
        }, cancellation);

    Task<bool> IsInputNeededAsync(string key, string jobId, CancellationToken cancellation) =>
        connection.TryAsync(async database =>
        {
            var pointer = await database.HashGetAsync(connection.Keys.Input(jobId), StoredInput.Field);
            return StoredInput.Parse(pointer)?.Object.Key == key;
        }, cancellation);
}
