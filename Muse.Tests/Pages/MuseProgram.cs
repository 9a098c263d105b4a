using System.Diagnostics;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Pages;

/// <summary>One of Muse's programs, as a process of its own over a test's Redis; killed when the test is done with it.</summary>
sealed class MuseProgram : IAsyncDisposable
{
    readonly Process process;

    MuseProgram(Process process) => this.process = process;

    /// <summary>Starts a program that lies beside the tests, e.g. <c>Muse.GpuWorker</c>.</summary>
    public static MuseProgram Start(string name, RedisServer redis, params (string Setting, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, $"{name}.dll")])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Repository.Root,
        };
        start.Environment["ConnectionStrings__redis"] = redis.ConnectionString;
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        foreach (var (setting, value) in settings)
            start.Environment[setting] = value;
        var process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return new(process);
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
    }
}
