using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Muse.Autoscaler;

namespace Muse.Tests.Autoscaler;

public class AutoscalerOptionsTests
{
    [Theory]
    [InlineData("MinWorkers", "5", "MinWorkers", "between 0 and MaxWorkers, which is 4; it is 5")]
    [InlineData("MinWorkers", "-1", "MinWorkers", "between 0 and 1000")]
    [InlineData("MaxWorkers", "0", "MaxWorkers", "between 1 and 1000")]
    [InlineData("Interval", "-00:00:30", "Interval", "between 00:00:01 and 01:00:00")]
    [InlineData("Interval", "00:00:00", "Interval", "between 00:00:01 and 01:00:00")]
    [InlineData("Interval", "30", "Interval", "between 00:00:01 and 01:00:00")] // .NET reads this as thirty days.
    [InlineData("Policy", "magic", "Policy", "must be drain or step")]
    [InlineData("Actor", "magic", "Actor", "must be aspire, kubernetes, keda or none")]
    [InlineData("TargetWait", "00:00:00", "TargetWait", "between 00:00:00.1")]
    [InlineData("Tolerance", "0.9", "Tolerance", "between 0 and 0.5")]
    [InlineData("ColdStart", "-00:00:01", "ColdStart", "between 00:00:00 and 01:00:00")]
    [InlineData("StabilisationWindow", "00:00:10", "StabilisationWindow", "between Interval, which is 00:00:30, and 01:00:00")]
    [InlineData("PicturesPerSecond", "0", "PicturesPerSecond", "between 0.001 and 10000")]
    [InlineData("Slots", "0", "Slots", "between 1 and 256")]
    public async Task A_wrong_setting_stops_it_at_start_with_its_name_and_the_allowed_range(
        string setting, string value, string name, string range)
    {
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync((setting, value)));
        Assert.Contains(name, error.Message);
        Assert.Contains(range, error.Message);
    }

    [Fact]
    public async Task All_wrong_settings_are_reported_together()
    {
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(("MaxWorkers", "0"), ("Policy", "magic")));
        Assert.Contains("MaxWorkers", error.Message);
        Assert.Contains("Policy", error.Message);
    }

    static async Task StartAsync(params (string Setting, string Value)[] settings)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(
        [
            .. settings.Select(setting => KeyValuePair.Create($"Autoscaler:{setting.Setting}", (string?)setting.Value)),
            new("urls", "http://127.0.0.1:0"),
        ]);
        builder.AddAutoscaler();
        // Not used: the settings are checked first.
        builder.Services.AddSingleton<IFleet>(services => new FakeFleet(TimeProvider.System)).AddSingleton(TimeProvider.System);
        await using var app = builder.Build();
        await app.StartAsync();
    }
}
