-- one row per kind of preference and value as of :as_of: its share among everybody, and how many of a customer's own times weigh as much
with sums as (
    select
        dimension,
        value,
        sum(share) as share,
        sum(amount_share) as amount_share,
        sum(agreement) as agreement,
        sum(own_agreement) as own_agreement,
        sum(customers) as customers,
        sum(repeating) as repeating
    from habit_sums
    group by dimension, value
),

wholes as (
    select
        dimension,
        sum(agreement) as agreement,
        sum(own_agreement) as own_agreement,
        sum(customers) as customers,
        sum(repeating) as repeating
    from sums
    group by dimension
),

shares as (
    select
        sums.dimension,
        sums.value,
        cast(rounded(cast(sums.share as double) / wholes.customers, 6) as decimal(9, 6)) as share,
        cast(rounded(cast(sums.amount_share as double) / wholes.customers, 6) as decimal(9, 6)) as amount_share
    from sums
    inner join wholes on sums.dimension = wholes.dimension
),

-- Two orders of one customer agree with probability a, of two customers with probability b = sum of squared shares, an order
-- with itself with probability s (1 where it is all of one value). Where the shares of an order vary by s - a about those
-- of its customer, and those of customers by a - b about everybody's, k = (s - a) / (a - b) orders weigh as much as
-- everybody's habit (Buehlmann's credibility; for orders of one value, the strength of a Dirichlet; for days, of Betas).
measured as (
    select
        shares.dimension,
        cast(max(wholes.own_agreement) as double) / nullif(max(wholes.repeating), 0) as s,
        cast(sum(cast(shares.share * shares.share as decimal(18, 12))) as double) as b,
        cast(max(wholes.agreement) as double) / nullif(max(wholes.repeating), 0) as a
    from shares
    inner join wholes on shares.dimension = wholes.dimension
    group by shares.dimension
)

select
    shares.dimension,
    shares.value,
    shares.share,
    shares.amount_share,
    cast(
        case
            when measured.a is null then 10
            when measured.a <= measured.b then 1000
            else rounded(greatest(least((measured.s - measured.a) / (measured.a - measured.b), 1000), 0.1), 6)
        end as decimal(18, 6)
    ) as strength
from shares
inner join measured on shares.dimension = measured.dimension
