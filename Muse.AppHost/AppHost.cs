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
builder.AddProject("api", "../Muse.Api/Muse.Api.csproj")
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

// Starts and stops the workers, one by one, to the number that the autoscaler wrote down.
if (builder.ExecutionContext.IsRunMode)
    builder.AddWorkerPool(redis, settings);

builder.Build().Run();
