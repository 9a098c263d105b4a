// A stand-in for the package Aspire.StackExchange.Redis, used only where no feed has it (air-gapped machines, mirrors, CI).
// It has the one method that Muse calls, with the same name, namespace and parameters.
// Left out: keyed clients, the settings section `Aspire:StackExchange:Redis`, OpenTelemetry spans for single commands.

using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers a Redis client by the name of its connection string, as Aspire's client integration does.</summary>
public static class AspireRedisExtensions
{
    /// <summary>Adds a singleton <see cref="IConnectionMultiplexer"/> for <c>ConnectionStrings:{connectionName}</c>.</summary>
    /// <param name="builder">The application to add it to.</param>
    /// <param name="connectionName">The connection string's name.</param>
    /// <param name="configureOptions">Changes to the options parsed from the connection string.</param>
    /// <exception cref="InvalidOperationException">On first use, when the connection string is missing.</exception>
    public static void AddRedisClient(this IHostApplicationBuilder builder, string connectionName, Action<ConfigurationOptions>? configureOptions = null)
    {
        builder.Services.AddSingleton<IConnectionMultiplexer>(services =>
        {
            var text = services.GetRequiredService<IConfiguration>().GetConnectionString(connectionName)
                ?? throw new InvalidOperationException($"ConnectionStrings:{connectionName} is missing: set ConnectionStrings__{connectionName}=host:port.");
            var options = ConfigurationOptions.Parse(text);
            configureOptions?.Invoke(options);
            return ConnectionMultiplexer.Connect(options);
        });
    }
}
