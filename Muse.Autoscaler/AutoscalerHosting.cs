using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>Puts the autoscaler together.</summary>
public static class AutoscalerHosting
{
    /// <summary>Adds the loop, with the policy and the actor that the settings name.</summary>
    public static IHostApplicationBuilder AddAutoscaler(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<AutoscalerOptions>().BindConfiguration("Autoscaler").ValidateDataAnnotations().ValidateOnStart();
        builder.Services
            .AddSingleton<SteadyClock>()
            .AddSingleton<IFleet, RedisFleet>()
            .AddSingleton<FleetGauge>()
            .AddSingleton<LatestDecision>()
            .AddSingleton(services => Policy(services.GetRequiredService<IOptions<AutoscalerOptions>>().Value))
            .AddSingleton(services => Actor(services, services.GetRequiredService<IOptions<AutoscalerOptions>>().Value))
            .AddHostedService<AutoscalerMetrics>()
            .AddHostedService<AutoscalerLoop>();
        return builder;
    }

    /// <summary>The policy that the settings name.</summary>
    public static IScalingPolicy Policy(AutoscalerOptions options) =>
        options.Policy == StepPolicy.Name ? new StepPolicy(options) : new DrainPolicy(options);

    static IScalingActor Actor(IServiceProvider services, AutoscalerOptions options) => options.Actor switch
    {
        Actors.None => ActivatorUtilities.CreateInstance<NobodyToAct>(services),
        _ => new ReadByOwner(),
    };
}
