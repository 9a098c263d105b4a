using Muse.Tests.Infrastructure;

namespace Muse.Tests.Autoscaler.Acting;

public sealed class ClusterConfigurationTests
{
    [Fact]
    public async Task A_configuration_of_the_cluster_that_can_not_be_read_is_named_in_one_sentence()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "config");
        await File.WriteAllTextAsync(file, "clusters: [is not\n yaml");
        await using var program = new ProgramProcess("Muse.Autoscaler", ("ConnectionStrings__redis", "127.0.0.1:1"), ("KUBECONFIG", file),
            ("MUSE_AUTOSCALE_ACTOR", "kubernetes"), ("Autoscaler__Kubernetes__Deployment", "workers"));
        await program.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token);
        Assert.Equal(1, program.ExitCode);
        Assert.StartsWith($"Muse.Autoscaler can't start: The Kubernetes configuration {file} can't be read: ", program.Output.Trim());
        Assert.DoesNotContain("   at ", program.Output);
    }
}
