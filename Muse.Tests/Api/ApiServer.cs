using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Muse.Api;
using Muse.Tests.Infrastructure;
using OpenTelemetry.Metrics;

namespace Muse.Tests.Api;

/// <summary>The API as it runs for real: Kestrel on a loopback port, over a real Redis, with a worker that generates flat images.</summary>
public sealed class ApiServer : IAsyncDisposable
{
    /// <summary>A key that may ask once a second.</summary>
    public const string HurriedKey = "hurried-0123456789abcdef";
    public static readonly IReadOnlyDictionary<string, string> OneRequestASecond = new Dictionary<string, string>
    {
        ["Api:Keys"] = $"hurried:{HurriedKey}",
        ["Api:RateLimits:Enabled"] = "true",
        ["Api:RateLimits:KeyRequests"] = "1",
        ["Api:RateLimits:KeyWindow"] = "00:00:01",
    };

    readonly Factory factory;
    readonly bool ownsRedis;

    ApiServer(Factory factory, RedisServer redis, bool ownsRedis, FlatImageWorker? worker)
    {
        (this.factory, Redis, this.ownsRedis, Worker) = (factory, redis, ownsRedis, worker);
        Address = new(factory.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        Client = NewClient();
    }

    public RedisServer Redis { get; }
    public FlatImageWorker? Worker { get; }
    public Uri Address { get; }
    public HttpClient Client { get; }
    public RecordedLog Log => factory.Log;
    public IServiceProvider Services => factory.Services;

    /// <summary>Starts one.</summary>
    /// <param name="settings">Settings beside the defaults of tests: no rate limits.</param>
    /// <param name="worker">How the worker behaves.</param>
    /// <param name="redis">Another server's Redis to share; null for one of its own.</param>
    /// <param name="withoutWorker">Whether to start no worker.</param>
    /// <param name="time">The API's clock; null for the system's.</param>
    /// <param name="store">The object store of the API and the worker; null for none.</param>
    /// <param name="redisTimeout">The timeout of Redis' commands in milliseconds: more than Muse's 3 s, for a busy machine.</param>
    public static async Task<ApiServer> StartAsync(
        FlatImageWorkerOptions? worker = null,
        IReadOnlyDictionary<string, string>? settings = null,
        RedisServer? redis = null,
        bool withoutWorker = false,
        TimeProvider? time = null,
        S3Server? store = null,
        int redisTimeout = 30_000)
    {
        var ownsRedis = redis is null;
        redis ??= await RedisServer.StartAsync();
        var started = withoutWorker ? null : await FlatImageWorker.StartAsync(redis, worker ?? new(), store?.Settings);
        var all = new Dictionary<string, string>(settings ?? new Dictionary<string, string>())
        {
            ["ConnectionStrings:redis"] = $"{redis.ConnectionString},asyncTimeout={redisTimeout}",
        };
        foreach (var (name, value) in store?.Settings ?? [])
            all[name] = value;
        var factory = new Factory(all, time ?? TimeProvider.System);
        factory.UseKestrel();
        factory.StartServer();
        var server = new ApiServer(factory, redis, ownsRedis, started);
        await server.IsWellAsync();
        return server;
    }

    /// <summary>On a busy machine it may be up before it has reached Redis; as with a load balancer, it gets no requests before.</summary>
    async Task IsWellAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        using var between = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (true)
        {
            using var health = await Client.GetAsync("/health", limit.Token);
            if (health.IsSuccessStatusCode)
                return;
            await between.WaitForNextTickAsync(limit.Token);
        }
    }

    public HttpClient NewClient(string? key = null)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false })
        {
            BaseAddress = Address,
            Timeout = TimeSpan.FromMinutes(3)
        };
        if (key is not null)
            client.DefaultRequestHeaders.Authorization = new("Bearer", key);
        return client;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (Worker is not null)
            await Worker.DisposeAsync();
        await factory.DisposeAsync();
        if (ownsRedis)
            await Redis.DisposeAsync();
    }

    sealed class Factory(IReadOnlyDictionary<string, string> settings, TimeProvider time) : WebApplicationFactory<ApiOptions>
    {
        // OpenTelemetry allocates 2,000 for each metric, 13 MB for a server. ASP.NET Core's rate limiter, which nothing disposes of, keeps
        // each server of the several hundred in memory.
        const int MetricPoints = 100;

        public RecordedLog Log { get; } = new();

        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            // Not through UseKestrel(port): that sets the port while the server may be starting already.
            builder.UseSetting("urls", "http://127.0.0.1:0");
            builder.UseSetting("Api:RateLimits:Enabled", "false");
            foreach (var (key, value) in settings)
                builder.UseSetting(key, value);
            builder.ConfigureTestServices(services => services
                .AddSingleton<ILoggerProvider>(Log)
                .AddSingleton(time)
                .ConfigureOpenTelemetryMeterProvider(metrics => metrics.AddView(_ => new() { CardinalityLimit = MetricPoints })));
        }
    }
}

/// <summary>Keeps what was logged as a warning or worse.</summary>
public sealed class RecordedLog : ILoggerProvider
{
    readonly System.Collections.Concurrent.ConcurrentQueue<(LogLevel Level, string Message)> entries = new();

    public IReadOnlyList<string> Errors => [.. entries.Where(entry => entry.Level >= LogLevel.Error).Select(entry => entry.Message)];
    public IReadOnlyList<string> Warnings => [.. entries.Where(entry => entry.Level == LogLevel.Warning).Select(entry => entry.Message)];

    public ILogger CreateLogger(string categoryName) => new Recorder(categoryName, entries);
    public void Dispose() { }

    sealed class Recorder(string category, System.Collections.Concurrent.ConcurrentQueue<(LogLevel, string)> entries) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;
        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?,
            string> formatter)
        {
            if (logLevel >= LogLevel.Warning)
                entries.Enqueue((logLevel, $"{category}: {formatter(state, exception)} {exception}"));
        }
    }
}
