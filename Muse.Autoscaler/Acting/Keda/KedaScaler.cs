using System.Threading.Channels;
using Grpc.Core;
using Microsoft.Extensions.Options;
using Muse.Autoscaler.Keda;

namespace Muse.Autoscaler;

/// <summary>Answers KEDA: one metric, the workers wanted, with a target of 1 for each worker.</summary>
/// <remarks>A figure that is unknown or old is an error, on which KEDA keeps what there is; never 0, on which it would stop every worker.</remarks>
public sealed class KedaScaler(LatestDecision latest, IOptions<AutoscalerOptions> options) : ExternalScaler.ExternalScalerBase
{
    /// <summary>The metric's name.</summary>
    public const string Metric = "muse-workers-wanted";

    // Two looks may fail before a figure counts as unknown.
    TimeSpan Trusted => options.Value.Interval * 3;

    /// <summary>Whether any worker is wanted.</summary>
    public override Task<IsActiveResponse> IsActive(ScaledObjectRef request, ServerCallContext context) =>
        Task.FromResult(new IsActiveResponse { Result = Wanted() > 0 });

    /// <summary>Tells at once, and then at every change, whether any worker is wanted: so that an empty fleet is woken without waiting for KEDA's next poll. Says nothing while the figure is unknown.</summary>
    public override async Task StreamIsActive(ScaledObjectRef request, IServerStreamWriter<IsActiveResponse> responseStream, ServerCallContext context)
    {
        // Only the newest matters to a slow reader.
        var changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
        void Changed() => changes.Writer.TryWrite(true);
        latest.Changed += Changed;
        try
        {
            Changed();
            bool? told = null;
            await foreach (var _ in changes.Reader.ReadAllAsync(context.CancellationToken))
            {
                if (latest.Within(Trusted) is not { } decision || decision.Workers > 0 == told)
                    continue;
                told = decision.Workers > 0;
                await responseStream.WriteAsync(new() { Result = told.Value }, context.CancellationToken);
            }
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            // KEDA hung up.
        }
        finally { latest.Changed -= Changed; }
    }

    /// <summary>The metric and its target.</summary>
    public override Task<GetMetricSpecResponse> GetMetricSpec(ScaledObjectRef request, ServerCallContext context) =>
        Task.FromResult(new GetMetricSpecResponse { MetricSpecs = { new MetricSpec { MetricName = Metric, TargetSize = 1, TargetSizeFloat = 1 } } });

    /// <summary>The workers wanted.</summary>
    public override Task<GetMetricsResponse> GetMetrics(GetMetricsRequest request, ServerCallContext context)
    {
        if (request.MetricName is not ("" or Metric))
            throw new RpcException(new(StatusCode.NotFound, $"There is no metric {request.MetricName}, only {Metric}."));
        var wanted = Wanted();
        return Task.FromResult(new GetMetricsResponse { MetricValues = { new MetricValue { MetricName = Metric, MetricValue_ = wanted, MetricValueFloat = wanted } } });
    }

    int Wanted() => latest.Within(Trusted)?.Workers
        ?? throw new RpcException(new(StatusCode.Unavailable, $"The queue has not been measured for {Trusted.TotalSeconds:0} s: how many workers there should be is unknown."));
}
