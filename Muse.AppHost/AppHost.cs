// The picture of Muse: what runs, and who talks to whom.
//
//   client ──HTTP──▶ api ──stream──▶ redis ◀──batches── worker-0 … worker-N
//                     ▲────results────┘ ▲
//                                       └──lag, decisions── autoscaler

using Muse.AppHost;

var builder = DistributedApplication.CreateBuilder(args);
var settings = AppHostSettings.Read(builder.Configuration);

// The queue and the results: the only place where the others meet.
var redis = builder.AddMuseRedis("redis", settings);

// HTTP in, stream entries out; results in, HTTP out.
var api = builder.AddProject("api", "../Muse.Api/Muse.Api.csproj")
    .WithHttpEndpoint(port: settings.HttpPort)
    .WithExternalHttpEndpoints()
    .WithHttpHealthCheck("/health")
    .WithMuseSettings(settings)
    .WithReference(redis)
    .WaitFor(redis);

// Measures the queue and writes down how many workers there should be.
builder.AddProject("autoscaler", "../Muse.Autoscaler/Muse.Autoscaler.csproj")
    .WithHttpEndpoint()
    .WithHttpHealthCheck("/health")
    .WithMuseSettings(settings)
    .WithReference(redis)
    .WaitFor(redis);

// One resource for each worker that may run, so that each has a GPU of its own. Published, one deployment of many replicas.
for (var index = 0; index < (builder.ExecutionContext.IsPublishMode ? 1 : settings.MaxWorkers); index++)
{
    var worker = builder.AddProject(builder.ExecutionContext.IsPublishMode ? "worker" : WorkerPool.Name(index), "../Muse.GpuWorker/Muse.GpuWorker.csproj")
        .WithHttpEndpoint()
        .WithMuseSettings(settings)
        .WithReference(redis)
        .WaitFor(redis);
    if (builder.ExecutionContext.IsRunMode)
        worker.WithWorkerIdentity(index).WithExplicitStart();
}

if (builder.ExecutionContext.IsRunMode)
{
    // Starts and stops the workers, one by one, to the number that the autoscaler wrote down.
    builder.AddWorkerPool(redis, settings);

    // People who ask for pictures, as many as its page is told: started by command, or with the rest by MUSE_LOAD_TESTING=1.
    var locust = builder.AddExecutable("locust", "locust", "../loadtest", "--web-host", "localhost")
        .WithRequiredCommand("locust", "https://docs.locust.io/en/stable/installation.html")
        .WithHttpEndpoint(port: 8089, env: "LOCUST_WEB_PORT")
        .WithEnvironment("LOCUST_HOST", api.GetEndpoint("http"))
        .WaitFor(api);
    if (!settings.LoadTesting)
        locust.WithExplicitStart();
}

builder.Build().Run();
