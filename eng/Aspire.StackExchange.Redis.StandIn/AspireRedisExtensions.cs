// A stand-in for the package Aspire.StackExchange.Redis, used only where no feed has it (air-gapped machines, mirrors, CI).
// It has the one method that Muse calls, with the same name, namespace and parameters, and does the same: one connection for the
// connection string of that name, a health check named as Aspire's, a span for each command inside a recorded one.
// Left out: keyed clients, the client builder, `ConfigurationOptions` from the settings section, activation at the start.

using Aspire.StackExchange.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers a Redis client by the name of its connection string, as Aspire's client integration does.</summary>
public static class AspireRedisExtensions
{
    /// <summary>Adds a singleton <see cref="IConnectionMultiplexer"/> for <c>ConnectionStrings:{connectionName}</c>, with health check and tracing.</summary>
    /// <param name="builder">The application to add it to.</param>
    /// <param name="connectionName">The connection string's name.</param>
    /// <param name="configureSettings">Changes to the settings read from the section <c>Aspire:StackExchange:Redis</c>.</param>
    /// <param name="configureOptions">Changes to the options parsed from the connection string.</param>
    /// <exception cref="InvalidOperationException">On first use, when the connection string is missing.</exception>
    public static void AddRedisClient(this IHostApplicationBuilder builder, string connectionName, Action<StackExchangeRedisSettings>? configureSettings = null, Action<ConfigurationOptions>? configureOptions = null)
    {
        var settings = new StackExchangeRedisSettings();
        builder.Configuration.GetSection("Aspire:StackExchange:Redis").Bind(settings);
        if (builder.Configuration.GetConnectionString(connectionName) is { } given)
            settings.ConnectionString = given;
        configureSettings?.Invoke(settings);

        builder.Services.AddSingleton<IConnectionMultiplexer>(services =>
        {
            // Asked again: tests and hosts may set it after this method.
            var text = services.GetRequiredService<IConfiguration>().GetConnectionString(connectionName) ?? settings.ConnectionString
                ?? throw new InvalidOperationException($"ConnectionStrings:{connectionName} is missing: set ConnectionStrings__{connectionName}=host:port.");
            var options = ConfigurationOptions.Parse(text);
            configureOptions?.Invoke(options);
            var connection = ConnectionMultiplexer.Connect(options);
            if (services.GetService<CommandTracing>() is { } tracing)
                connection.RegisterProfiler(tracing.SessionOfTheMoment);
            return connection;
        });

        if (!settings.DisableTracing)
        {
            builder.Services.TryAddSingleton(TimeProvider.System);
            builder.Services.TryAddSingleton<CommandTracing>();
            builder.Services.AddOpenTelemetry().WithTracing(tracing => tracing.AddSource(CommandTracing.SourceName));
        }
        if (!settings.DisableHealthChecks)
            builder.Services.AddHealthChecks().Add(new HealthCheckRegistration("StackExchange.Redis",
                services => new RedisHealthCheck(services.GetRequiredService<IConnectionMultiplexer>()), failureStatus: null, tags: null));
    }
}
