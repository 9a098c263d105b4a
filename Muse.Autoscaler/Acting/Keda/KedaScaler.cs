using Grpc.Core;
using Muse.Autoscaler.Keda;

namespace Muse.Autoscaler;

/// <summary>KEDA's external scaler: one metric, the workers wanted, with a target of 1 per worker.</summary>
/// <remarks>
/// It answers with the decision that Redis has, so every autoscaler answers the same, whichever of them leads. An unknown or outdated
/// number is an error, on which KEDA keeps the current workers. It is never 0, on which KEDA would stop all of them.
/// </remarks>
public sealed class KedaScaler(LatestDecision latest, TimeProvider time) : ExternalScaler.ExternalScalerBase
{
    /// <summary>The metric's name.</summary>
    public const string Metric = "muse-workers-wanted";

    /// <summary>The metric's target: one worker for each that is wanted.</summary>
    public const int Target = 1;

    static readonly TimeSpan StreamInterval = TimeSpan.FromSeconds(1);

    /// <summary>Whether any worker is wanted.</summary>
    public override async Task<IsActiveResponse> IsActive(ScaledObjectRef request, ServerCallContext context) =>
        new() { Result = await WantedAsync(context) > 0 };

    /// <summary>
    /// Sends at once, and within a second of every change, whether any worker is wanted, so that KEDA starts a worker before its next poll.
    /// Sends nothing while the number is unknown.
    /// </summary>
    public override async Task StreamIsActive(ScaledObjectRef request, IServerStreamWriter<IsActiveResponse> responseStream,
        ServerCallContext context)
    {
        bool? sent = null;
        using var timer = new PeriodicTimer(StreamInterval, time);
        try
        {
            do
            {
                if (await latest.ReadAsync(context.CancellationToken) is not { } decision || decision.Workers > 0 == sent)
                    continue;
                sent = decision.Workers > 0;
                await responseStream.WriteAsync(new() { Result = sent.Value }, context.CancellationToken);
            } while (await timer.WaitForNextTickAsync(context.CancellationToken));
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            // KEDA closed the stream.
        }
    }

    /// <summary>The metric and its target.</summary>
    public override Task<GetMetricSpecResponse> GetMetricSpec(ScaledObjectRef request, ServerCallContext context) =>
        Task.FromResult(new GetMetricSpecResponse
        {
            MetricSpecs = { new MetricSpec { MetricName = Metric, TargetSize = Target, TargetSizeFloat = Target } },
        });

    /// <summary>The workers wanted, under whatever name KEDA asks for (<c>s0-muse-workers-wanted</c>): there is one metric.</summary>
    public override async Task<GetMetricsResponse> GetMetrics(GetMetricsRequest request, ServerCallContext context)
    {
        var wanted = await WantedAsync(context);
        var name = request.MetricName is { Length: > 0 } asked ? asked : Metric;
        return new() { MetricValues = { new MetricValue { MetricName = name, MetricValue_ = wanted, MetricValueFloat = wanted } } };
    }

    async Task<int> WantedAsync(ServerCallContext context) => (await latest.ReadAsync(context.CancellationToken))?.Workers
        ?? throw new RpcException(new(StatusCode.Unavailable,
            $"The queue has not been measured for {latest.MaxAge.TotalSeconds:0} s. The number of workers wanted is unknown."));
}
