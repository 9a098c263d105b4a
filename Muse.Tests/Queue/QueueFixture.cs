using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Muse.Queue;
using Muse.Tests.Infrastructure;
using StackExchange.Redis;

namespace Muse.Tests.Queue;

/// <summary>A Redis of the test's own, and programs that use it like the API and the workers: each with its own connection.</summary>
public sealed class QueueFixture : IAsyncDisposable
{
    readonly List<IHost> programs = [];

    readonly RedisServer? redis;
    readonly RedisCluster? cluster;

    QueueFixture(RedisServer? redis, RedisCluster? cluster) => (this.redis, this.cluster) = (redis, cluster);

    public RedisServer Redis => redis ?? throw new InvalidOperationException("It is a cluster.");
    public RedisCluster Cluster => cluster ?? throw new InvalidOperationException("It is a single Redis.");

    /// <summary>The object store of programs that are started later; null for none.</summary>
    public S3Server? Store { get; set; }

    /// <summary>The connection string of programs that are started later.</summary>
    public string ConnectionString { get => field ?? cluster?.ConnectionString ?? Redis.ConnectionString; set; }

    public static async Task<QueueFixture> StartAsync(params string[] redisArguments) =>
        new(await RedisServer.StartAsync(redisArguments), null);

    /// <summary>The same over a Redis Cluster of three masters.</summary>
    /// <param name="withReplicas">Whether each has a replica.</param>
    public static async Task<QueueFixture> StartOnClusterAsync(bool withReplicas = false) =>
        new(null, await RedisCluster.StartAsync(withReplicas: withReplicas));

    /// <summary>A program with the queue in it.</summary>
    /// <param name="settings">Queue options, e.g. <c>("Lease", "00:00:01")</c>, or others by their full names.</param>
    public Program Start(params (string Name, string Value)[] settings) => Start(null, settings);

    /// <summary>A program that has no object store.</summary>
    public Program StartWithoutStore()
    {
        var store = Store;
        Store = null;
        var program = Start();
        Store = store;
        return program;
    }

    public Program Start(TimeProvider? time, params (string Name, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        // A busy machine may take longer than Muse's 3 s.
        builder.Configuration["ConnectionStrings:redis"] =
            ConnectionString.Contains("://", StringComparison.Ordinal) ? ConnectionString : $"{ConnectionString},asyncTimeout=30000";
        foreach (var (name, value) in (Store?.Settings ?? []).Concat(settings))
            builder.Configuration[name.Contains(':', StringComparison.Ordinal) ? name : $"Queue:{name}"] = value;
        if (time is not null)
            builder.Services.AddSingleton(time);
        builder.AddMuseQueue();
        var host = builder.Build();
        lock (programs)
            programs.Add(host);
        return new Program(host.Services);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var program in programs)
        {
            if (program is IAsyncDisposable disposable)
                await disposable.DisposeAsync();
        }

        if (redis is not null)
            await redis.DisposeAsync();
        if (cluster is not null)
            await cluster.DisposeAsync();
    }

    public sealed class Program(IServiceProvider services)
    {
        public Task<HealthReport> HealthAsync() => services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        internal QueueConnection Connection { get; } = services.GetRequiredService<QueueConnection>();
        public JobQueue Jobs { get; } = services.GetRequiredService<JobQueue>();
        public WorkQueue Work { get; } = services.GetRequiredService<WorkQueue>();
        public Muse.Queue.Fleet Fleet { get; } = services.GetRequiredService<Muse.Queue.Fleet>();
        public DeadLetters Dead { get; } = services.GetRequiredService<DeadLetters>();
        public IDatabase Redis { get; } = services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();
        public ObjectSweep Sweep { get; } = services.GetRequiredService<ObjectSweep>();
        internal ObjectStore Objects { get; } = services.GetRequiredService<ObjectStore>();
        internal JobEvents Events { get; } = services.GetRequiredService<JobEvents>();
        internal QueueKeys Keys { get; } = services.GetRequiredService<QueueConnection>().Keys;
    }
}

/// <summary>Jobs and images to test with.</summary>
public static class Samples
{
    static int number;

    public static ImageJob Job(string? id = null, int count = 1, JobPriority priority = JobPriority.Interactive, string owner = "ada",
        TimeSpan? beginWithin = null) => new()
        {
            Id = id ?? $"job-{Interlocked.Increment(ref number)}",
            Owner = owner,
            Prompt = "a red star above a blue house",
            Seed = 7,
            Count = count,
            Priority = priority,
            CreatedAt = TimeProvider.System.GetUtcNow(),
            BeginWithin = beginWithin,
        };

    public static CompletedImage Finished(string content = "image", int steps = 20) =>
        new(new StoredImage(System.Text.Encoding.UTF8.GetBytes(content), OutputFormat.Png, 128, 64), steps,
            TimeProvider.System.GetUtcNow());

    public static string Text(this StoredImage image) => System.Text.Encoding.UTF8.GetString(image.Bytes.Span);

    /// <summary>How long a test waits for anything. Only a broken test reaches it, however slow the machine.</summary>
    const int Patience = 240;

    /// <summary>Cancelled after the longest time that a test waits.</summary>
    public static CancellationToken Limit(int seconds = Patience) => new CancellationTokenSource(TimeSpan.FromSeconds(seconds)).Token;

    /// <summary>Repeats a question until its answer meets a condition.</summary>
    public static async Task<T> EventuallyAsync<T>(Func<Task<T>> ask, Func<T, bool> condition, int seconds = Patience)
    {
        var limit = Limit(seconds);
        while (true)
        {
            var answer = await ask();
            if (condition(answer))
                return answer;
            if (limit.IsCancellationRequested)
                throw new Xunit.Sdk.XunitException($"The condition was not met. The last answer was {answer}.");
            await Task.Delay(10, CancellationToken.None);
        }
    }

    /// <summary>Reads until so many images were taken.</summary>
    public static async Task<List<WorkItem>> TakeAsync(this WorkQueue work, int count)
    {
        var items = new List<WorkItem>();
        await EventuallyAsync(async () =>
        {
            items.AddRange(await work.ReadAsync(count - items.Count, Limit()));
            return items.Count;
        }, have => have == count);
        return items;
    }
}
