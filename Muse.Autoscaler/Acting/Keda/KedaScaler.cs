using System.Threading.Channels;
using Grpc.Core;
using Microsoft.Extensions.Options;
using Muse.Autoscaler.Keda;

namespace Muse.Autoscaler;

/// <summary>KEDA's external scaler: one metric, the workers wanted, with a target of 1 per worker.</summary>
/// <remarks>
/// An unknown or outdated number is an error, on which KEDA keeps the current workers. It is never 0, on which KEDA would stop all of them.
/// </remarks>
public sealed class KedaScaler(LatestDecision latest, IOptions<AutoscalerOptions> options) : ExternalScaler.ExternalScalerBase
{
    /// <summary>The metric's name.</summary>
    public const string Metric = "muse-workers-wanted";

    // Two measurements may fail before the number counts as unknown.
    TimeSpan MaxAge => options.Value.Interval * 3;

    /// <summary>Whether any worker is wanted.</summary>
    public override Task<IsActiveResponse> IsActive(ScaledObjectRef request, ServerCallContext context) =>
        Task.FromResult(new IsActiveResponse { Result = Wanted() > 0 });

    /// <summary>
    /// Sends at once, and after every change, whether any worker is wanted, so that KEDA starts a worker before its next poll. Sends
    /// nothing while the number is unknown.
    /// </summary>
    public override async Task StreamIsActive(ScaledObjectRef request, IServerStreamWriter<IsActiveResponse> responseStream,
        ServerCallContext context)
    {
        // A slow reader needs only the newest change.
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
        void OnChanged() => changes.Writer.TryWrite(true);
        latest.Changed += OnChanged;
        try
        {
            OnChanged();
            bool? sent = null;
            await foreach (var _ in changes.Reader.ReadAllAsync(context.CancellationToken))
            {
                if (latest.Within(MaxAge) is not { } decision || decision.Workers > 0 == sent)
                    continue;
                sent = decision.Workers > 0;
                await responseStream.WriteAsync(new() { Result = sent.Value }, context.CancellationToken);
            }
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            // KEDA closed the stream.
        }
        finally
        {
            latest.Changed -= OnChanged;
        }
    }

    /// <summary>The metric and its target.</summary>
    public override Task<GetMetricSpecResponse> GetMetricSpec(ScaledObjectRef request, ServerCallContext context) =>
        Task.FromResult(new GetMetricSpecResponse
        {
            MetricSpecs = { new MetricSpec { MetricName = Metric, TargetSize = 1, TargetSizeFloat = 1 } },
        });

    /// <summary>The workers wanted, under whatever name KEDA asks for (<c>s0-muse-workers-wanted</c>): there is one metric.</summary>
    public override Task<GetMetricsResponse> GetMetrics(GetMetricsRequest request, ServerCallContext context)
    {
        var wanted = Wanted();
        var name = request.MetricName is { Length: > 0 } asked ? asked : Metric;
        var value = new MetricValue { MetricName = name, MetricValue_ = wanted, MetricValueFloat = wanted };
        return Task.FromResult(new GetMetricsResponse { MetricValues = { value } });
    }

    int Wanted() => latest.Within(MaxAge)?.Workers
        ?? throw new RpcException(new(StatusCode.Unavailable,
            $"The queue has not been measured for {MaxAge.TotalSeconds:0} s. The number of workers wanted is unknown."));
}
