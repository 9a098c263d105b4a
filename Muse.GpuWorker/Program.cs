using Muse.Diffusion;
using Muse.GpuWorker;
using Muse.Queue;
using Muse.ServiceDefaults;

SettingsSection[] settings =
[
    new("Worker", typeof(WorkerOptions)),
    new("Engine", typeof(EngineOptions)),
    new("Device", typeof(DeviceOptions)),
    new("Queue", typeof(QueueOptions)),
    new("ObjectStore", typeof(ObjectStoreOptions)),
];
return await ProgramStart.RunAsync("Muse.GpuWorker", settings, async () =>
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddMuseQueue();
    builder.AddGpuWorker();

    await using var app = builder.Build();
    app.CheckSettings();
    await app.CheckRedisAsync();
    await app.CheckObjectStoreAsync();
    app.MapDefaultEndpoints();
    app.MapMetrics();
    return await app.RunWorkerAsync();
});
