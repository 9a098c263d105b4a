using System.Collections.Concurrent;
using Aspire.Hosting;
using Aspire.Hosting.Running;

namespace Muse.Tests.AppHost.StandIn;

public sealed class ChildProcessTests
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task It_runs_the_program_itself_with_its_arguments_folder_and_variables()
    {
        var lines = new ConcurrentQueue<string>();
        await using var child = ChildProcess.Start("/bin/sh", ["-c", "echo \"$$ $1 $PWD $COLOUR ${HOME-no home}\"; exit 3", "sh", "two words"], "/usr",
            new Dictionary<string, string?> { ["COLOUR"] = "teal", ["HOME"] = null }, lines.Enqueue);
        Assert.Equal(3, await child.Exit.WaitAsync(Limit));
        Assert.Equal([$"{child.Id} two words /usr teal no home"], lines);
    }

    [Fact]
    public async Task It_is_asked_to_end_before_it_is_killed()
    {
        var lines = new ConcurrentQueue<string>();
        await using var child = Shell("trap 'echo ended; exit 7' TERM; echo ready; sleep 1000 & wait", lines);
        await Until(() => lines.Contains("ready"));
        Assert.True(await child.StopAsync(Limit, TimeProvider.System));
        Assert.Equal(7, await child.Exit);
        Assert.Contains("ended", lines);
    }

    [Fact]
    public async Task It_is_killed_with_its_children_when_it_does_not_end_within_the_grace()
    {
        var lines = new ConcurrentQueue<string>();
        await using var child = Shell("trap '' TERM; sleep 1000 & echo $!; wait; while :; do wait; done", lines);
        await Until(() => !lines.IsEmpty);
        Assert.False(await child.StopAsync(TimeSpan.FromMilliseconds(200), TimeProvider.System).WaitAsync(Limit));
        await Until(() => !Processes.Alive(int.Parse(lines.First())));
    }

    [Fact]
    public async Task What_it_leaves_behind_when_it_ends_by_itself_ends_too()
    {
        var lines = new ConcurrentQueue<string>();
        await using var child = Shell("sleep 1000 >/dev/null 2>&1 & echo $!", lines);
        Assert.Equal(0, await child.Exit.WaitAsync(Limit));
        await Until(() => !Processes.Alive(int.Parse(lines.First())));
    }

    [Fact]
    public void A_program_that_is_not_there_is_named()
    {
        var error = Assert.Throws<DistributedApplicationException>(() => ChildProcess.Start("no-such-program", [], "/", [], _ => { }));
        Assert.Contains("no-such-program", error.Message);
    }

    static ChildProcess Shell(string script, ConcurrentQueue<string> lines) => ChildProcess.Start("/bin/sh", ["-c", script], "/", [], lines.Enqueue);

    static Task Until(Func<bool> condition) => Processes.UntilAsync(condition, Limit);
}
