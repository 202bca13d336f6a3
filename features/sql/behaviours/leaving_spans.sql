-- one row per date before :as_of and customer with an act in the days before it: whether there was one in the days after
-- alike: customers of about the same time since the first act, and with about as many days with acts lately
with lives as (
    select
        acts.entity_id,
        rounds.round,
        rounds.day,
        rounds.day - min(acts.day) as tenure,
        count(case when acts.day >= rounds.day - :active and acts.day < rounds.day then 1 end) as active_days,
        max(case when acts.day >= rounds.day then 1 else 0 end) as stayed
    from acts
    inner join rounds on acts.day < rounds.day + :later
    group by acts.entity_id, rounds.round, rounds.day
)

select
    entity_id,
    round,
    -- who is new has other things to do than who is not: the shortest stretches are those of a few weeks
    case
        when tenure < 14 then 0 when tenure < 28 then 10 when tenure < 60 then 20 when tenure < 120 then 30
        when tenure < 240 then 40 when tenure < 480 then 50
        else 60
    end
    + cast(least(active_days, 6) as int) as alike,
    day - :days as from_day,
    day as to_day,
    stayed
from lives
where active_days > 0
