using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace Muse.Queue;

/// <summary>Redis commands in traces: those of a request belong to its trace, those of Muse's own polling are not exported.</summary>
static class RedisTracing
{
    /// <summary>The activity source of Aspire's Redis client.</summary>
    const string Source = "OpenTelemetry.Instrumentation.StackExchangeRedis";

    /// <summary>Whether traces are exported. Without an exporter, recording every command would only cost time.</summary>
    public static bool IsOn(IConfiguration configuration) => !string.IsNullOrWhiteSpace(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);

    /// <summary>Adds the filter of root spans, before the exporter.</summary>
    public static void AddFilter(IHostApplicationBuilder builder) =>
        builder.Services.ConfigureOpenTelemetryTracerProvider(tracing => tracing.AddProcessor(new RootSpanFilter()));

    /// <summary>Marks Redis spans without a parent as not recorded. Exporters skip them.</summary>
    sealed class RootSpanFilter : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data)
        {
            if (data.ParentSpanId == default && data.Source.Name == Source)
                data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }
    }
}
