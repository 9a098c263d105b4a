using Muse.Api;
using Muse.Queue;
using Muse.ServiceDefaults;

SettingsSection[] settings =
[
    new("Api", typeof(ApiOptions)),
    new("Queue", typeof(QueueOptions)),
    new("ObjectStore", typeof(ObjectStoreOptions)),
];
return await ProgramStart.RunAsync("Muse.Api", settings, async () =>
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddServiceDefaults();
    builder.AddMuseQueue();
    builder.AddMuseApi();

    await using var app = builder.Build();
    app.CheckSettings();
    await app.CheckRedisAsync();
    await app.CheckObjectStoreAsync();
    app.UseMuseApi();
    app.MapDefaultEndpoints();
    app.MapImages();
    app.MapGenerations();
    app.MapAutomatic1111();
    app.MapOriginalMuse();
    app.MapModels();
    app.MapOperations();
    app.MapWebhooks();
    app.MapApiDocument();
    await app.RunUntilStoppedAsync();
    return 0;
});
