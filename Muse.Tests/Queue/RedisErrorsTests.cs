using Muse.Queue;

namespace Muse.Tests.Queue;

public sealed class RedisErrorsTests
{
    // Redis 6 puts this before an error of a script.
    const string Redis6Prefix = "ERR Error running script (call to f_12ab): @user_script:";

    [Theory]
    [InlineData("OOM command not allowed when used memory > 'maxmemory'.")] // Redis 7
    [InlineData(Redis6Prefix + "203: @user_script: 203: -OOM command not allowed when used memory > 'maxmemory'.")]
    [InlineData("@user_script: 203: -OOM command not allowed when used memory > 'maxmemory'.")] // Redis 6, from pcall
    [InlineData(Redis6Prefix + "9: @user_script: 9: -READONLY You can't write against a read only replica.")]
    [InlineData("EXECABORT Transaction discarded because of previous errors.")]
    [InlineData("LOADING Redis is loading the dataset in memory")]
    [InlineData("NOPERM this user has no permissions to access one of the channels used as arguments")]
    [InlineData("ERR The user executing the script can't publish to the channel mentioned in the command script: 0a, on @user_script:1.")]
    public void The_same_command_may_succeed_later(string reply) => Assert.True(RedisErrors.IsTransient(reply));

    [Theory]
    [InlineData("WRONGTYPE Operation against a key holding the wrong kind of value")]
    [InlineData(Redis6Prefix + "203: @user_script: 203: -WRONGTYPE Operation against a key")]
    [InlineData("ERR value is not an integer or out of range")]
    public void Damaged_data_is_damaged_later_too(string reply) => Assert.False(RedisErrors.IsTransient(reply));

    [Fact]
    public void A_refused_transaction_is_told_with_its_possible_reasons() =>
        Assert.Contains("it is full, read-only or denies a permission",
            RedisErrors.Explain("EXECABORT Transaction discarded because of previous errors."), StringComparison.Ordinal);

    [Theory]
    [InlineData(Redis6Prefix + "203: @user_script: 203: -ERR syntax error")] // XPENDING … IDLE, 6.0
    [InlineData("ERR unknown command `XPENDING`, with args beginning with: ")]
    public void An_old_Redis_is_told_the_oldest_supported_version(string reply) =>
        Assert.Contains("Muse needs Redis 6.2 or newer", RedisErrors.Explain(reply), StringComparison.Ordinal);
}
