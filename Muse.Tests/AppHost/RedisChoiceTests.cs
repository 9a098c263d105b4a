using Muse.AppHost;
using Muse.ServiceDefaults;

namespace Muse.Tests.AppHost;

public sealed class RedisChoiceTests
{
    [Theory]
    [InlineData("elsewhere:6379", true, "/usr/bin/redis-server", "ConnectionString")]
    [InlineData("elsewhere:6379", false, null, "ConnectionString")]
    [InlineData(null, true, "/usr/bin/redis-server", "Container")]
    [InlineData("", true, null, "Container")]
    [InlineData(null, false, "/usr/bin/redis-server", "Executable")]
    public void The_users_connection_string_wins_then_a_container_then_the_program(
        string? connectionString, bool engineAnswers, string? program, string source) =>
        Assert.Equal(source, RedisExtensions.Choose(connectionString, () => engineAnswers, program).ToString());

    [Fact]
    public void Without_any_the_error_names_both_ways_to_get_one()
    {
        var error = Assert.Throws<CannotStartException>(() => RedisExtensions.Choose(null, () => false, null));
        Assert.Contains("Docker", error.Message);
        Assert.Contains("apt-get install redis-server", error.Message);
        Assert.Contains("ConnectionStrings__redis", error.Message);
    }

    [Fact]
    public void With_a_connection_string_no_container_engine_is_called() =>
        Assert.Equal(RedisSource.ConnectionString,
            RedisExtensions.Choose("elsewhere:6379", () => throw new InvalidOperationException("asked"), null));

    [Fact]
    public void A_data_folder_has_one_owner_at_a_time()
    {
        var folder = Directory.CreateTempSubdirectory("muse-data-");
        using (RedisExtensions.LockDataFolder(folder.FullName))
        {
            var exception = Assert.Throws<CannotStartException>(() => RedisExtensions.LockDataFolder(folder.FullName));
            Assert.Contains("MUSE_DATA", exception.Message);
        }
        RedisExtensions.LockDataFolder(folder.FullName).Dispose();
        folder.Delete(recursive: true);
    }
}
