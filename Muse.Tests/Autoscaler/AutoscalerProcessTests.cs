using System.Diagnostics;

namespace Muse.Tests.Autoscaler;

public class AutoscalerProcessTests
{
    [Theory]
    [InlineData("MUSE_AUTOSCALE_INTERVAL", "-30", "Interval must be between 00:00:01 and 01:00:00")]
    [InlineData("MUSE_AUTOSCALE_INTERVAL", "-00:00:30", "Interval must be between 00:00:01 and 01:00:00")]
    [InlineData("MUSE_AUTOSCALE_INTERVAL", "soon", "Autoscaler:Interval")]
    [InlineData("MUSE_AUTOSCALE_POLICY", "magic", "Policy must be drain or step")]
    [InlineData("MUSE_MIN_WORKERS", "5", "MinWorkers must be between 0 and MaxWorkers, which is 4; it is 5")]
    public async Task A_wrong_variable_stops_the_program_and_says_which(string variable, string value, string complaint)
    {
        var (status, said) = await RunAsync([], (variable, value));
        Assert.NotEqual(0, status);
        Assert.Contains(complaint, said);
    }

    [Fact]
    public async Task A_bare_number_is_seconds()
    {
        // The second complaint tells that the first setting was understood.
        var (_, said) = await RunAsync([], ("MUSE_AUTOSCALE_INTERVAL", "240"));
        Assert.Contains("StabilisationWindow must be between Interval, which is 00:04:00, and 01:00:00", said);
    }

    static async Task<(int Status, string Said)> RunAsync(string[] arguments, params (string Variable, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(Muse.Autoscaler.AutoscalerLoop).Assembly.Location, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["ConnectionStrings__redis"] = "127.0.0.1:1,abortConnect=false";
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        foreach (var (variable, value) in environment) start.Environment[variable] = value;
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try { await process.WaitForExitAsync(limit.Token); }
        finally { if (!process.HasExited) process.Kill(); }
        return (process.ExitCode, await output + await errors);
    }
}
