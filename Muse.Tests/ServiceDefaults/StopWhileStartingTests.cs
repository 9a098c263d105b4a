using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Muse.ServiceDefaults;

namespace Muse.Tests.ServiceDefaults;

public sealed class StopWhileStartingTests
{
    [Fact]
    public async Task A_program_that_is_stopped_while_it_starts_ends_without_an_error_and_stops_what_has_started()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton<First>();
        builder.Services.AddHostedService(services => services.GetRequiredService<First>());
        builder.Services.AddHostedService<StopsWhileItStarts>();
        using var host = builder.Build();
        await host.RunUntilStoppedAsync().WaitAsync(TimeSpan.FromMinutes(1));
        Assert.True(host.Services.GetRequiredService<First>().IsStopped);
    }

    sealed class First : IHostedService
    {
        public bool IsStopped { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken)
        {
            IsStopped = true;
            return Task.CompletedTask;
        }
    }

    // As a worker whose warm-up fails before the web server listens.
    sealed class StopsWhileItStarts(IHostApplicationLifetime lifetime) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            lifetime.StopApplication();
            return Task.Delay(Timeout.Infinite, cancellationToken);
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
