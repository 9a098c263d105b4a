using k8s;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using Muse.ServiceDefaults;

namespace Muse.Autoscaler;

/// <summary>Adds the autoscaler to an application.</summary>
public static class AutoscalerHosting
{
    /// <summary>Adds the loop, with the configured policy and actor.</summary>
    public static IHostApplicationBuilder AddAutoscaler(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<AutoscalerOptions>().BindConfiguration("Autoscaler").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<KubernetesOptions>().BindConfiguration("Autoscaler:Kubernetes").ValidateDataAnnotations()
            .ValidateOnStart();
        builder.Services.AddGrpc();
        builder.Services
            .AddSingleton<MonotonicClock>()
            .AddSingleton<IFleet, RedisFleet>()
            .AddSingleton<FleetGauge>()
            .AddSingleton<Leadership>()
            .AddSingleton<LatestDecision>()
            .AddSingleton(services => Policy(services.GetRequiredService<IOptions<AutoscalerOptions>>().Value))
            .AddSingleton(Actor)
            .AddSingleton<IKubernetes>(_ => new Kubernetes(ReadClusterConfiguration()))
            // Services stop in reverse order: the loop first, and then the lease is given up.
            .AddHostedService(services => services.GetRequiredService<Leadership>())
            .AddHostedService<FleetMetrics>()
            .AddHostedService<AutoscalerLoop>();
        return builder;
    }

    /// <summary>Checks that the configuration of the Kubernetes cluster can be read, if the autoscaler needs one.</summary>
    /// <exception cref="CannotStartException">It can't.</exception>
    public static void CheckCluster(this IHost app) => app.Services.GetRequiredService<IScalingActor>();

    static KubernetesClientConfiguration ReadClusterConfiguration()
    {
        try
        {
            return KubernetesClientConfiguration.BuildDefaultConfig();
        }
        catch (Exception exception) // The client has no type of its own for a file that is wrong.
        {
            var file = Environment.GetEnvironmentVariable("KUBECONFIG")
                ?? KubernetesClientConfiguration.KubeConfigDefaultLocation;
            throw new CannotStartException($"The Kubernetes configuration {file} can't be read: {exception.Message}", exception);
        }
    }

    /// <summary>
    /// Opens <see cref="AutoscalerOptions.KedaPort"/> in addition to the application's other addresses, if the actor is KEDA.
    /// </summary>
    public static WebApplicationBuilder AddKedaEndpoint(this WebApplicationBuilder builder)
    {
        var settings = builder.Configuration.GetSection("Autoscaler");
        if (settings["Actor"] != Actors.Keda)
            return builder;
        var port = settings.GetValue(nameof(AutoscalerOptions.KedaPort), new AutoscalerOptions().KedaPort);
        // gRPC without TLS needs an endpoint that speaks HTTP/2 only; naming one in code would silence the configured ones.
        var urls = builder.Configuration["urls"] is { Length: > 0 } given ? given : HttpPorts(builder.Configuration);
        var others = (urls ?? "http://localhost:5000")
            .Split(';', StringSplitOptions.RemoveEmptyEntries).Select(BindingAddress.Parse).ToList();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.ListenAnyIP(port, endpoint => endpoint.Protocols = HttpProtocols.Http2);
            foreach (var other in others)
            {
                if (other.Host == "localhost")
                    kestrel.ListenLocalhost(other.Port);
                else if (System.Net.IPAddress.TryParse(other.Host, out var address))
                    kestrel.Listen(address, other.Port);
                else
                    kestrel.ListenAnyIP(other.Port);
            }
        });
        return builder;
    }

    /// <summary>The addresses of <c>ASPNETCORE_HTTP_PORTS</c>, which .NET's container images set, or null.</summary>
    static string? HttpPorts(IConfiguration configuration) => configuration["http_ports"] is { Length: > 0 } ports
        ? string.Join(';', ports.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(port => $"http://*:{port}"))
        : null;

    /// <summary>Maps the gRPC service for KEDA if the actor is KEDA.</summary>
    public static WebApplication MapKeda(this WebApplication app)
    {
        if (app.Services.GetRequiredService<IOptions<AutoscalerOptions>>().Value.Actor == Actors.Keda)
            app.MapGrpcService<KedaScaler>();
        return app;
    }

    /// <summary>The configured policy.</summary>
    public static IScalingPolicy Policy(AutoscalerOptions options) =>
        options.Policy == StepPolicy.PolicyName ? new StepPolicy(options) : new DrainPolicy(options);

    static IScalingActor Actor(IServiceProvider services)
    {
        IScalingActor actor = services.GetRequiredService<IOptions<AutoscalerOptions>>().Value.Actor switch
        {
            Actors.Kubernetes => ActivatorUtilities.CreateInstance<KubernetesActor>(services),
            Actors.None => ActivatorUtilities.CreateInstance<LogOnlyActor>(services),
            _ => new NoOpActor(),
        };
        return services.GetRequiredService<IOptions<KubernetesOptions>>().Value.PodDeletionCost
            ? ActivatorUtilities.CreateInstance<PodDeletionCosts>(services, actor) : actor;
    }
}
