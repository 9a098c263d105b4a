// What Muse is made of and who talks to whom.
//
//   client ──HTTP──▶ api ──stream──▶ redis ◀──batches── worker-0 … worker-N
//                     ▲────results────┘ ▲
//                                       └──waiting, pending, decisions── autoscaler

using Muse.AppHost;
using Muse.ServiceDefaults;

return await ProgramStart.RunAsync("Muse", [], async () =>
{
    var builder = DistributedApplication.CreateBuilder(args);
    builder.AddQuietConsole();
    Publishing.RefusePublishing(builder.Configuration);
    var settings = AppHostSettings.Read(builder.Configuration);
    ProxyBypass.AddLoopback(settings.HttpHost);
    if (builder.ExecutionContext.IsRunMode)
        Ports.EnsureFree(settings.HttpPort, "MUSE_HTTP_PORT");

    // The queue and the results. The other programs reach each other only through it.
    var redis = builder.AddMuseRedis("redis", settings);

    // HTTP in, stream entries out; results in, HTTP out.
    var api = builder.AddProject<Projects.Muse_Api>("api")
        .WithBuiltProgram()
        .WithApiEndpoint(settings)
        .DisableForwardedHeaders()
        .WithHttpHealthCheck("/health")
        .WithMuseSettings(settings)
        .WithApiKeys(settings)
        .WithReference(redis)
        .WaitFor(redis);

    // Measures the queue, decides how many workers there should be, and stores the decision.
    builder.AddProject<Projects.Muse_Autoscaler>("autoscaler")
        .WithBuiltProgram()
        .WithHttpEndpoint()
        .WithHttpHealthCheck("/health")
        .WithMuseSettings(settings)
        .WithReference(redis)
        .WaitFor(redis);

    if (builder.ExecutionContext.IsPublishMode)
    {
        // In the manifest, the workers are one deployment of many replicas.
        builder.AddProject<Projects.Muse_GpuWorker>("worker")
            .WithHttpEndpoint()
            .WithHttpHealthCheck("/health")
            .WithMuseSettings(settings)
            .WithReference(redis)
            .WaitFor(redis);
    }
    else
    {
        // One resource for each worker that may run, so that each has a GPU of its own.
        for (var index = 0; index < settings.MaxWorkers; index++)
        {
            builder.AddProject<Projects.Muse_GpuWorker>(WorkerPool.Name(index))
                .WithBuiltProgram()
                .WithHttpEndpoint()
                .WithHttpHealthCheck("/health")
                .WithMuseSettings(settings)
                .WithWorkerIdentity(index)
                .WithDrainCommand(index)
                .WithReference(redis)
                .WaitFor(redis)
                .WithExplicitStart();
        }

        builder.AddOrderlyShutdown();

        // Starts and stops the workers, one by one, to the number that the autoscaler decided.
        builder.AddWorkerPool(redis, settings);

        // The load generator: started by a command in the dashboard, or with the rest by MUSE_LOAD_TESTING=1.
        var locust = builder.AddExecutable("locust", "locust", "../loadtest", "--web-host", "localhost")
            .WithRequiredCommand("locust", "https://docs.locust.io/en/stable/installation.html")
            .WithHttpEndpoint(port: 8089, env: "LOCUST_WEB_PORT")
            .WithEnvironment("LOCUST_HOST", api.GetEndpoint("http"))
            .WaitFor(api);
        if (!settings.LoadTesting)
            locust.WithExplicitStart();
    }

    await builder.Build().RunAsync();
    return 0;
});
