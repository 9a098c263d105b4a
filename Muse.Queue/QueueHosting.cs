using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Adds the queue to an application.</summary>
public static class QueueHosting
{
    /// <summary>The timeout of a command, milliseconds. After it the API answers 503 and a worker tries again.</summary>
    const int CommandTimeout = 3000;

    /// <summary>
    /// Adds <see cref="JobQueue"/>, <see cref="WorkQueue"/>, <see cref="Fleet"/>, <see cref="DeadLetters"/> and
    /// <see cref="PendingWebhooks"/> with the connection string <c>redis</c>.
    /// </summary>
    public static IHostApplicationBuilder AddMuseQueue(this IHostApplicationBuilder builder)
    {
        builder.AddRedisClient("redis", configureOptions: Configure);
        builder.Services.AddOptions<QueueOptions>().BindConfiguration("Queue").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<QueueConnection>().AddSingleton<JobEvents>().AddSingleton<QueueSignals>();
        // Their constructors are internal, as their dependencies are.
        builder.Services
            .AddSingleton(services => new JobQueue(Get<QueueConnection>(services), Get<JobEvents>(services)))
            .AddSingleton(services =>
                new WorkQueue(Get<QueueConnection>(services), Get<QueueSignals>(services), Get<ILogger<WorkQueue>>(services)))
            .AddSingleton(services => new Fleet(Get<QueueConnection>(services), Get<QueueSignals>(services)))
            .AddSingleton(services => new DeadLetters(Get<QueueConnection>(services)))
            .AddSingleton(services => new PendingWebhooks(Get<QueueConnection>(services)));
        return builder;

        static T Get<T>(IServiceProvider services) where T : notnull => services.GetRequiredService<T>();
    }

    /// <summary>
    /// The program starts without Redis and connects later. While Redis is unavailable, commands fail at once and do not pile up.
    /// </summary>
    internal static void Configure(ConfigurationOptions options)
    {
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ReconnectRetryPolicy = new LinearRetry(200);
        options.AsyncTimeout = CommandTimeout;
        options.SyncTimeout = CommandTimeout;
    }
}
