using Muse.Autoscaler;
using Muse.ServiceDefaults;

if (args is ["simulate", .. var simulation]) return SimulateCommand.Run(simulation, Console.Out, Console.Error);

SettingsSection[] settings = [new("Autoscaler", typeof(AutoscalerOptions)), new("Autoscaler:Kubernetes", typeof(KubernetesOptions)), new("Queue", typeof(QueueOptions))];
return await ProgramStart.RunAsync("Muse.Autoscaler", settings, async () =>
{
    var builder = WebApplication.CreateBuilder(args is ["plot", ..] ? [] : args);
    builder.AddServiceDefaults();
    builder.AddMuseQueue();
    builder.AddAutoscaler();
    builder.AddKedaEndpoint();

    await using var app = builder.Build();
    if (args is ["plot", .. var plot])
        return await PlotCommand.RunAsync(plot, count => app.Services.GetRequiredService<Fleet>().DecisionsAsync(count, default), Console.Out, Console.Error);

    app.CheckSettings();
    app.MapDefaultEndpoints();
    app.MapMetrics();
    app.MapKeda();
    await app.RunAsync();
    return 0;
});
