using System.Collections.Concurrent;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Muse.Tests.Infrastructure;

/// <summary>A span as an OTLP exporter sends it.</summary>
/// <param name="Service">The <c>service.name</c> of its resource.</param>
/// <param name="Source">Its instrumentation scope.</param>
/// <param name="Name">Its name.</param>
/// <param name="TraceId">Its trace, hexadecimal.</param>
/// <param name="ParentId">Its parent span, hexadecimal; empty for a root.</param>
public sealed record ExportedSpan(string Service, string Source, string Name, string TraceId, string ParentId);

/// <summary>Receives traces over OTLP (HTTP with protobuf).</summary>
/// <remarks>Field numbers: opentelemetry-proto, trace/v1/trace.proto, resource/v1/resource.proto and common/v1/common.proto.</remarks>
public sealed class OtlpCollector : IAsyncDisposable
{
    readonly ConcurrentQueue<ExportedSpan> spans = new();
    readonly WebApplication app;

    OtlpCollector(WebApplication app) => this.app = app;

    public static async Task<OtlpCollector> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var collector = new OtlpCollector(builder.Build());
        collector.app.MapPost("/v1/traces", collector.ReceiveAsync);
        collector.app.MapFallback(() => Results.Ok()); // Metrics and logs.
        await collector.app.StartAsync();
        return collector;
    }

    /// <summary>The environment variables of a program that exports to it.</summary>
    public (string Name, string Value)[] Settings(string service) =>
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", app.Urls.Single()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_SERVICE_NAME", service),
    ];

    public IReadOnlyList<ExportedSpan> Spans => [.. spans];

    async Task<IResult> ReceiveAsync(HttpRequest request)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        foreach (var resourceSpans in Messages(body.ToArray(), 1))
        {
            var service = Messages(resourceSpans, 1).SelectMany(resource => Messages(resource, 1))
                .Where(attribute => Texts(attribute, 1).Single() == "service.name")
                .SelectMany(attribute => Messages(attribute, 2)).SelectMany(value => Texts(value, 1)).Single();
            foreach (var scopeSpans in Messages(resourceSpans, 2))
            {
                var source = Messages(scopeSpans, 1).SelectMany(scope => Texts(scope, 1)).SingleOrDefault("");
                foreach (var span in Messages(scopeSpans, 2))
                {
                    spans.Enqueue(new(service, source, Texts(span, 5).Single(),
                        Convert.ToHexString(Messages(span, 1).Single()), Convert.ToHexString(Messages(span, 4).SingleOrDefault([]))));
                }
            }
        }

        return Results.Bytes([], "application/x-protobuf");
    }

    static IEnumerable<string> Texts(byte[] message, int field) => Messages(message, field).Select(System.Text.Encoding.UTF8.GetString);

    /// <summary>The values of a field that holds bytes, text or messages.</summary>
    static List<byte[]> Messages(byte[] message, int field)
    {
        var found = new List<byte[]>();
        var input = new CodedInputStream(message);
        while (input.ReadTag() is var tag and > 0)
        {
            if (WireFormat.GetTagFieldNumber(tag) == field && WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited)
                found.Add(input.ReadBytes().ToByteArray());
            else
                input.SkipLastField();
        }

        return found;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
