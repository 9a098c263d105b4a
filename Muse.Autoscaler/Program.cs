using Muse.Autoscaler;
using Muse.ServiceDefaults;

SettingsSection[] settings =
[
    new("Autoscaler", typeof(AutoscalerOptions)),
    new("Autoscaler:Kubernetes", typeof(KubernetesOptions)),
    new("Queue", typeof(QueueOptions)),
    new("ObjectStore", typeof(ObjectStoreOptions)),
];
return await ProgramStart.RunAsync("Muse.Autoscaler", settings, async () =>
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddMuseQueue();
    builder.AddAutoscaler();
    builder.AddKedaEndpoint();

    await using var app = builder.Build();
    app.CheckSettings();
    app.CheckCluster();
    await app.CheckRedisAsync();
    app.MapDefaultEndpoints();
    app.MapMetrics();
    app.MapKeda();
    await app.RunUntilStoppedAsync();
    return 0;
});
