using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Muse.Queue;

/// <summary>Adds the queue to an application.</summary>
public static class QueueHosting
{
    /// <summary>A command that has no answer by then is given up: the API says 503, a worker tries again. Milliseconds.</summary>
    const int CommandTimeout = 3000;

    /// <summary>Adds <see cref="JobQueue"/>, <see cref="WorkQueue"/>, <see cref="Fleet"/>, <see cref="DeadLetters"/> and <see cref="PendingWebhooks"/> over the connection string <c>redis</c>.</summary>
    public static IHostApplicationBuilder AddMuseQueue(this IHostApplicationBuilder builder)
    {
        builder.AddRedisClient("redis", configureOptions: Configure);
        builder.Services.AddOptions<QueueOptions>().BindConfiguration("Queue").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<QueueConnection>().AddSingleton<JobEvents>().AddSingleton<QueueCalls>();
        builder.Services
            .AddSingleton(services => new JobQueue(services.GetRequiredService<QueueConnection>(), services.GetRequiredService<JobEvents>()))
            .AddSingleton(services => new WorkQueue(services.GetRequiredService<QueueConnection>(), services.GetRequiredService<QueueCalls>(), services.GetRequiredService<ILogger<WorkQueue>>()))
            .AddSingleton(services => new Fleet(services.GetRequiredService<QueueConnection>(), services.GetRequiredService<QueueCalls>()))
            .AddSingleton(services => new DeadLetters(services.GetRequiredService<QueueConnection>()))
            .AddSingleton(services => new PendingWebhooks(services.GetRequiredService<QueueConnection>()));
        return builder;
    }

    /// <summary>Starts without Redis and finds it later; while it is away, fails at once instead of piling requests up.</summary>
    internal static void Configure(ConfigurationOptions options)
    {
        options.AbortOnConnectFail = false;
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.ReconnectRetryPolicy = new LinearRetry(200);
        options.AsyncTimeout = CommandTimeout;
        options.SyncTimeout = CommandTimeout;
    }
}
