using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Muse.Autoscaler.Simulator;
using Muse.ServiceDefaults;

switch (args)
{
    case ["simulate", .. var arguments]:
        return SimulateCommand.Run(arguments, Console.Out, Console.Error);
    case ["plot", .. var arguments]:
        SettingsSection[] settings = [new("Queue", typeof(QueueOptions)), new("ObjectStore", typeof(ObjectStoreOptions))];
        return await ProgramStart.RunAsync("Muse.Autoscaler.Simulator", settings, async () =>
        {
            var builder = Host.CreateApplicationBuilder();
            builder.Configuration.AddMuseSettings();
            builder.AddMuseQueue();
            using var host = builder.Build();
            host.CheckSettings();
            var fleet = host.Services.GetRequiredService<Fleet>();
            return await PlotCommand.RunAsync(arguments, count => fleet.DecisionsAsync(count, default), Console.Out, Console.Error);
        });
    default:
        Console.Error.WriteLine($"Which command?{Environment.NewLine}{SimulateCommand.Usage}{Environment.NewLine}{PlotCommand.Usage}");
        return 2;
}
