using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Adds the queue to an application.</summary>
public static class QueueHosting
{
    /// <summary>
    /// Adds <see cref="JobQueue"/>, <see cref="WorkQueue"/>, <see cref="Fleet"/>, <see cref="DeadLetters"/>,
    /// <see cref="PendingWebhooks"/> and <see cref="ObjectSweep"/> with the connection string <c>redis</c>.
    /// </summary>
    public static IHostApplicationBuilder AddMuseQueue(this IHostApplicationBuilder builder)
    {
        AddRedis(builder);
        builder.Services.AddOptions<QueueOptions>().BindConfiguration("Queue").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddOptions<ObjectStoreOptions>().BindConfiguration("ObjectStore").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<ObjectStoreOptions>>(new ObjectStoreValidator());
        builder.Services.AddSingleton(services => new ReplicatedWrites(
            Get<QueueConnection>(services), () => Get<IOptionsMonitor<ConfigurationOptions>>(services).CurrentValue));
        builder.Services.AddSingleton<QueueConnection>().AddSingleton<ObjectStore>().AddSingleton<JobEvents>()
            .AddSingleton<QueueSignals>();
        // Their constructors are internal, as their dependencies are.
        builder.Services
            .AddSingleton(services => new JobQueue(Get<QueueConnection>(services), Get<ObjectStore>(services),
                Get<ReplicatedWrites>(services), Get<JobEvents>(services)))
            .AddSingleton(services => new WorkQueue(Get<QueueConnection>(services), Get<ObjectStore>(services),
                Get<QueueSignals>(services), Get<ILogger<WorkQueue>>(services)))
            .AddSingleton(services => new ObjectSweep(Get<QueueConnection>(services), Get<ObjectStore>(services)))
            .AddSingleton(services => new Fleet(Get<QueueConnection>(services), Get<QueueSignals>(services)))
            .AddSingleton(services => new DeadLetters(Get<QueueConnection>(services)))
            .AddSingleton(services => new PendingWebhooks(Get<QueueConnection>(services)));
        return builder;

        static T Get<T>(IServiceProvider services) where T : notnull => services.GetRequiredService<T>();
    }

    /// <summary>
    /// Adds Aspire's Redis client with Muse's own health check and traces. The connection string is validated at start.
    /// </summary>
    static void AddRedis(IHostApplicationBuilder builder)
    {
        RedisConnectionString? connectionString = null;
        var error = "";
        builder.AddRedisClient("redis", settings =>
        {
            try
            {
                connectionString = RedisConnectionString.Parse(settings.ConnectionString);
                settings.ConnectionString = connectionString.StackExchange;
            }
            catch (FormatException exception)
            {
                error = exception.Message;
            }

            // Aspire's check sends CLUSTER INFO, which StackExchange.Redis refuses without admin mode and an ACL may forbid.
            settings.DisableHealthChecks = true;
            // Recording every command costs time, so only where traces are exported.
            settings.DisableTracing = string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        }, options =>
        {
            connectionString?.Apply(options);
            Configure(options);
        });
        builder.Services.AddOptions<QueueOptions>().Validate(_ => error.Length == 0, error);
        builder.Services.AddSingleton<RedisHealthCheck>().AddHealthChecks().AddCheck<RedisHealthCheck>("redis");
    }

    /// <summary>Checks that Redis supports and allows what Muse needs. A Redis that is not there yet is not checked.</summary>
    /// <exception cref="OptionsValidationException">It does not. The message is a sentence for the operator.</exception>
    public static async Task CheckRedisAsync(this IHost app)
    {
        if (await app.Services.GetRequiredService<QueueConnection>().FindUnsupportedAsync() is { } sentence)
            throw new OptionsValidationException("redis", typeof(QueueOptions), [sentence]);
    }

    /// <summary>
    /// Checks that the object store, if there is one, can be used. A store that is unavailable is not checked.
    /// </summary>
    /// <exception cref="OptionsValidationException">It can't. The message is a sentence for the operator.</exception>
    public static async Task CheckObjectStoreAsync(this IHost app)
    {
        if (await app.Services.GetRequiredService<ObjectStore>().FindUnsupportedAsync() is { } sentence)
            throw new OptionsValidationException("ObjectStore", typeof(ObjectStoreOptions), [sentence]);
    }

    /// <summary>
    /// The program starts without Redis and connects later. While Redis is unavailable, commands fail at once and do not pile up.
    /// </summary>
    internal static void Configure(ConfigurationOptions options)
    {
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ReconnectRetryPolicy = new LinearRetry(200);
    }

    sealed class ObjectStoreValidator : IValidateOptions<ObjectStoreOptions>
    {
        public ValidateOptionsResult Validate(string? name, ObjectStoreOptions options) =>
            options.FindError() is { } error ? ValidateOptionsResult.Fail(error) : ValidateOptionsResult.Success;
    }
}
