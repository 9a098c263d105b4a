using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Muse.ServiceDefaults;

/// <summary>What every Muse program has: settings by their short names, telemetry, health.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>The resource attribute with the model that a program serves; a label of all its metrics.</summary>
    public const string ModelAttribute = "muse.model";

    /// <summary>The tag of health checks that <c>/alive</c> asks too: one that fails wants the program restarted.</summary>
    public const string LiveTag = "live";

    static readonly KeyValuePair<string, string?>[] LogLevels =
    [
        // Traces show the requests.
        new("Logging:LogLevel:Microsoft.AspNetCore", "Warning"),
        new("Logging:LogLevel:System.Net.Http", "Warning"),
        // It logs each step of each connection. The queue logs failures.
        new("Logging:LogLevel:StackExchange.Redis", "Critical"),
        // It logs a worker that is still starting as an error.
        new("Logging:LogLevel:Microsoft.Extensions.Diagnostics.HealthChecks", "Critical"),
    ];

    /// <summary>
    /// Adds the <c>MUSE_*</c> settings, health checks, and OpenTelemetry: metrics for Prometheus, and logs, metrics and traces over OTLP if
    /// an endpoint is set.
    /// </summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.Configuration.AddMuseSettings();
        // The first source, so that any other one overrides it.
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = LogLevels });
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddOptions<TelemetryOptions>().BindConfiguration("Telemetry").ValidateDataAnnotations().ValidateOnStart();
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });
        var telemetry = builder.Services.AddOpenTelemetry()
            .WithMetrics(metrics => metrics
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation()
                .AddMeter("Muse.*")
                .AddPrometheusExporter(options => options.ResourceConstantLabels = static name => name == ModelAttribute));
        // Without an endpoint, spans would only cost time.
        if (!string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            telemetry
                .WithTracing(tracing => tracing
                    .AddSource(builder.Environment.ApplicationName, "Muse.*")
                    .AddAspNetCoreInstrumentation(options => options.Filter = context => !IsProbe(context.Request.Path))
                    .AddHttpClientInstrumentation()
                    .SetSampler(services => new TraceSampler(
                        services.GetRequiredService<IOptions<TelemetryOptions>>().Value.TracesPerSecond,
                        services.GetRequiredService<TimeProvider>())))
                .UseOtlpExporter();
        }
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag]);
        return builder;
    }

    /// <summary>Maps <c>/health</c> (ready to serve) and <c>/alive</c> (worth keeping).</summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealthChecks("/health");
        app.MapHealthChecks("/alive", new HealthCheckOptions { Predicate = check => check.Tags.Contains(LiveTag) });
        return app;
    }

    /// <summary>Maps <c>/metrics</c>, for Prometheus, on a program that only its own network reaches.</summary>
    public static WebApplication MapMetrics(this WebApplication app)
    {
        app.MapPrometheusScrapingEndpoint("/metrics");
        return app;
    }

    static bool IsProbe(Microsoft.AspNetCore.Http.PathString path) =>
        path.StartsWithSegments("/health") || path.StartsWithSegments("/alive") || path.StartsWithSegments("/metrics");
}
