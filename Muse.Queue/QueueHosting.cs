using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Muse.Queue;

/// <summary>Adds the queue to an application.</summary>
public static class QueueHosting
{
    /// <summary>Adds <see cref="JobQueue"/>, <see cref="WorkQueue"/>, <see cref="Fleet"/> and <see cref="DeadLetters"/> over the connection string <c>redis</c>.</summary>
    public static IHostApplicationBuilder AddMuseQueue(this IHostApplicationBuilder builder)
    {
        builder.AddRedisClient("redis", options => options.AbortOnConnectFail = false);
        builder.Services.AddOptions<QueueOptions>().BindConfiguration("Queue").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<JobQueue>().AddSingleton<WorkQueue>().AddSingleton<Fleet>().AddSingleton<DeadLetters>();
        return builder;
    }
}
